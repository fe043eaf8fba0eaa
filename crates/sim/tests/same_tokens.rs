//! However the model is split, the tokens are those of one phone.

mod common;

use common::{GREEDY, alone, config, ready, ready_with, ring, stats};
use protocol::peer::{AskOptions, Finish, Sampling};
use sim::toy;

#[test]
fn up_to_five_phones_answer_as_one() {
    for tokens in [1, 31, 32, 33, 200] {
        let prompt = toy::prompt(tokens);
        let expected = alone(&prompt, GREEDY);
        assert_eq!(expected.prompt_tokens as usize, tokens);
        for phones in 2..=5 {
            let mut sim = ready(phones);
            let answer = stats(sim.ask(0, 1, &prompt, GREEDY));
            assert_eq!(answer.tokens, expected.tokens, "{phones} phones, {tokens} tokens");
            assert_eq!(answer.finish, expected.finish);
            assert_eq!(ring(&sim).len(), phones, "every phone is needed");
        }
    }
}

#[test]
fn the_size_of_chunks_does_not_matter() {
    let prompt = toy::prompt(100);
    let expected = alone(&prompt, GREEDY).tokens;
    for chunk_tokens in [1, 7, 100, 256] {
        let mut config = config(3);
        config.limits.chunk_tokens = chunk_tokens;
        let tokens = stats(ready_with(config).ask(0, 1, &prompt, GREEDY)).tokens;
        assert_eq!(tokens, expected, "chunks of {chunk_tokens}");
    }
}

#[test]
fn sampling_does_not_depend_on_the_tail() {
    let options = Sampling { temperature: 0.8, seed: 42, ..GREEDY };
    let expected = alone("once", options).tokens;
    assert_eq!(stats(ready(4).ask(0, 1, "once", options)).tokens, expected);
    let other_seed = Sampling { seed: 43, ..options };
    assert_ne!(stats(ready(4).ask(0, 1, "once", other_seed)).tokens, expected);
}

#[test]
fn tokens_seen_are_the_same_wherever_the_tail_is() {
    let options = Sampling { repetition_penalty: 1.3, ..GREEDY };
    for tokens in [1, 100, 200] {
        let prompt = toy::prompt(tokens);
        let expected = alone(&prompt, options).tokens;
        assert_ne!(expected, alone(&prompt, GREEDY).tokens, "the toy counts what it has seen");
        for phones in 2..=4 {
            let answer = stats(ready(phones).ask(0, 1, &prompt, options));
            assert_eq!(answer.tokens, expected, "{phones} phones, {tokens} tokens");
        }
    }
}

#[test]
fn with_all_options_on_everything_about_an_answer_is_that_of_one_phone() {
    let sampling = Sampling {
        temperature: 0.8,
        top_k: 40,
        top_p: 0.9,
        min_p: 0.05,
        repetition_penalty: 1.3,
        seed: 42,
        max_tokens: 20,
        logprobs: Some(5),
    };
    let stop = stats(ready(1).ask(0, 1, "once upon", sampling)).tokens[14].to_string();
    let options = AskOptions { sampling, stop: vec!["never said".into(), stop.clone()] };
    let ask = |phones| ready(phones).ask(phones - 1, 1, "once upon", options.clone());
    let expected = ask(1);
    assert!(!expected.text.contains(&stop), "{}", expected.text);
    for phones in 2..=4 {
        let answer = ask(phones);
        assert_eq!(answer.text, expected.text, "{phones} phones");
        let (answer, expected) = (stats(answer), stats(expected.clone()));
        assert_eq!(answer.tokens, expected.tokens, "{phones} phones");
        assert_eq!(answer.logprobs, expected.logprobs, "{phones} phones");
        assert_eq!(answer.logprobs.len(), answer.tokens.len());
        assert_eq!(answer.finish, Finish::Stop);
    }
}

#[test]
fn the_second_answer_is_as_good_as_the_first() {
    let mut sim = ready(3);
    let first = stats(sim.ask(0, 1, "once upon a time", GREEDY));
    let other = stats(sim.ask(0, 2, "another", GREEDY));
    let again = stats(sim.ask(0, 3, "once upon a time", GREEDY));
    assert_ne!(first.tokens, other.tokens);
    assert_eq!(first.tokens, again.tokens);
}

#[test]
fn an_answer_ends_at_its_length_or_with_the_context() {
    let mut sim = ready(2);
    let mut ask = |number, prompt, max_tokens| {
        stats(sim.ask(0, number, &toy::prompt(prompt), Sampling { max_tokens, ..GREEDY }))
    };
    assert!(ask(1, 5, 0).tokens.is_empty());
    assert_eq!(ask(2, 5, 1).tokens.len(), 1);
    let full = ask(3, 250, 100);
    assert_eq!((full.tokens.len(), full.finish), (7, Finish::Length));
    assert_eq!(ask(4, 256, 100).tokens.len(), 1);
}

#[test]
fn an_answer_ends_where_the_model_ends_it() {
    let mut config = config(3);
    let expected = alone("once upon", GREEDY);
    config.model.eos = vec![expected.tokens[5]];
    let mut sim = ready_with(config);
    let answer = sim.ask(0, 1, "once upon", GREEDY);
    let text: String = expected.tokens[..5].iter().map(|token| format!("{token} ")).collect();
    assert_eq!(answer.text, text);
    let answer = stats(answer);
    assert_eq!((&answer.tokens[..], answer.finish), (&expected.tokens[..5], Finish::Eos));
}

#[test]
fn the_figures_of_an_answer_add_up() {
    let mut sim = ready(3);
    let answer = sim.ask(0, 1, &toy::prompt(40), GREEDY);
    let stats = stats(answer);
    assert_eq!((stats.prompt_tokens, stats.completion_tokens), (40, 24));
    // The toy dispatches once for each module, and has 18 of them.
    assert_eq!(stats.dispatches_per_token, 18.0);
    // A token takes 18 ms of work, three steps' overhead of 1 ms, three hops of 4 ms and a little for texts and
    // bytes.
    let token_secs = 1.0 / stats.decode_tokens_per_sec;
    assert!((0.033..0.036).contains(&token_secs), "{token_secs} s");
    let predicted = sim.view(0).plan.expect("a plan").predicted_token_secs;
    assert!((token_secs / predicted - 1.0).abs() < 0.1, "{predicted} s were predicted");
    assert!(stats.ttft_secs > 18e-3 * 8.0 / 3.0 && stats.ttft_secs < 18e-3 * 40.0 + 0.1);
}
