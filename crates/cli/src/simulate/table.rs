//! A report in words and columns.

use std::fmt::{Arguments, Write as _};

use sim::{PlanReport, Report, RequestReport};

pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let out = &mut text;
    for plan in &report.plans {
        write_plan(out, plan);
    }
    put(
        out,
        format_args!("request  from              first token   tokens  tokens/s  ends at    how"),
    );
    for request in &report.requests {
        write_request(out, request);
    }
    put(out, format_args!("phone             computes  sends    waits    steps"));
    for phone in &report.phones {
        let [compute, send, wait] =
            [phone.compute, phone.send, phone.wait].map(|share| 100.0 * share);
        put(
            out,
            format_args!(
                "{:16}  {compute:6.1} %  {send:5.1} %  {wait:5.1} %  {:6}",
                phone.id, phone.steps
            ),
        );
    }
    for pair in &report.bytes {
        put(out, format_args!("{} -> {}: {} bytes", pair.from, pair.to, pair.bytes));
    }
    write_sums(out, report);
    text
}

fn write_plan(out: &mut String, plan: &PlanReport) {
    let stages =
        plan.stages.iter().map(|stage| format!("{} {}..{}", stage.phone, stage.start, stage.end));
    let stages: Vec<String> = stages.collect();
    put(out, format_args!("plan {} at {:.3} s: {}", plan.epoch, plan.at_secs, stages.join(", ")));
    put(out, format_args!("  {}", plan.why()));
    if let Some(secs) = plan.pause_secs {
        put(out, format_args!("  An answer stood still for {secs:.3} s at most."));
    }
}

fn write_request(out: &mut String, request: &RequestReport) {
    let secs = |secs: Option<f64>| secs.map_or("-".to_owned(), |secs| format!("{secs:.3} s"));
    let rate = request.tokens_per_sec.map_or("-".to_owned(), |rate| format!("{rate:.3}"));
    let how = match (&request.failure, request.finish) {
        (Some(failure), _) => failure.clone(),
        (None, Some(finish)) => format!("{finish:?}").to_lowercase(),
        (None, None) => String::new(),
    };
    let strange =
        if request.undisturbed { "" } else { " (NOT the tokens of an undisturbed model)" };
    put(
        out,
        format_args!(
            "{:7}  {:16}  {:>11}  {:>7}  {rate:>8}  {:>9}  {how}{strange}",
            request.request,
            request.from,
            secs(request.first_token_secs),
            request.tokens,
            secs(request.end_secs)
        ),
    );
}

fn write_sums(out: &mut String, report: &Report) {
    let times = report.token_secs.map_or(String::new(), |times| {
        let [median, p95, longest] =
            [times.median, times.p95, times.longest].map(|secs| 1e3 * secs);
        format!(
            "; a token takes {median:.1} ms (95 % at most {p95:.1} ms, longest {longest:.1} ms)"
        )
    });
    put(
        out,
        format_args!(
            "{} tokens, {:.3} a second while any request is under way{times}",
            report.tokens, report.tokens_per_sec
        ),
    );
}

fn put(out: &mut String, line: Arguments<'_>) {
    writeln!(out, "{line}").expect("a string takes any text");
}
