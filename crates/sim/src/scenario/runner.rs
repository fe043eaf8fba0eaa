//! The toy with a real model's sizes: tokens that can be checked, and the time and bytes of another.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use base::{Message, ModuleRange, RequestId};
use protocol::peer::{CacheAsk, Sampling};
use session::{
    Job, JobId, JobInput, LoadStage, ModelSpec, Part, Pass, Resident, SamplingStep, StageOutput,
    Wants,
};

use crate::{
    Loaded, Ran, StageRunner,
    toy::{CACHE_ROW_BYTES, ROW_BYTES, ToyModel},
};

/// The modules that each phone of a scenario has fetched: they stay there when it leaves.
pub(super) type Kept = Rc<RefCell<Vec<BTreeSet<usize>>>>;

/// A toy on one phone, as large and as slow as the scenario's model.
pub(super) struct SizedToy {
    toy: ToyModel,
    spec: Rc<ModelSpec>,
    /// Of each module for a row of a prompt, where that goes through an encoder.
    prompt_flops: Rc<Vec<f64>>,
    further_row_cost: f64,
    phone: usize,
    kept: Kept,
}

impl SizedToy {
    pub(super) fn new(
        (spec, prompt_flops): (Rc<ModelSpec>, Rc<Vec<f64>>),
        further_row_cost: f64,
        phone: usize,
        kept: Kept,
    ) -> Self {
        let toy = toy_of(&spec);
        Self { toy, spec, prompt_flops, further_row_cost, phone, kept }
    }

    /// As many operations of one row as take the same time. Only the last row of a prompt goes through the
    /// last module.
    fn flops(&self, job: &Job) -> f64 {
        let last = self.spec.modules.len() - 1;
        let draws = job.parts.iter().filter(|part| matches!(part.wants, Wants::Token(_))).count();
        let cost = |rows: usize| match rows.checked_sub(1) {
            Some(further) => 1.0 + self.further_row_cost * further as f64,
            None => 0.0,
        };
        let rows = |module| cost(if module == last { draws } else { job.rows() });
        let flops = |module: usize| match job.pass {
            Pass::Run => rows(module) * self.spec.modules[module].flops,
            Pass::Encode | Pass::Remember => cost(job.rows()) * self.prompt_flops[module],
        };
        self.toy.at_work(job).into_iter().map(flops).sum()
    }

    /// Bytes of what this phone has not fetched before.
    fn fetched(&self, stage: &LoadStage) -> u64 {
        let mut kept = self.kept.borrow_mut();
        let modules = stage.stages.iter().flat_map(|stage| stage.resident.indices());
        let missing = modules.filter(|&module| kept[self.phone].insert(module));
        missing.map(|module| self.spec.modules[module].weights_bytes as u64).sum()
    }

    fn narrow(&self, rows: &[u8]) -> Vec<u8> {
        let rows = rows.chunks(self.spec.row_bytes as usize);
        rows.flat_map(|row| &row[..row.len().min(ROW_BYTES as usize)]).copied().collect()
    }

    fn widen(&self, rows: &[u8]) -> Vec<u8> {
        let row_bytes = self.spec.row_bytes as usize;
        let mut wide = Vec::with_capacity(rows.len() / ROW_BYTES as usize * row_bytes);
        for row in rows.chunks(ROW_BYTES as usize) {
            wide.extend_from_slice(row);
            wide.resize(wide.len() + row_bytes - row.len(), 0);
        }
        wide
    }
}

impl StageRunner for SizedToy {
    fn load(&mut self, stage: &LoadStage) -> Result<Loaded, String> {
        let loaded = self.toy.load(stage)?;
        Ok(Loaded { bytes: self.fetched(stage), ..loaded })
    }

    fn copies_bytes(&self, copies: &LoadStage) -> u64 {
        self.fetched(copies)
    }

    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String> {
        self.toy.load_copies(copies)
    }

    fn unload(&mut self) {
        self.toy.unload();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let mut narrow = job.clone();
        for part in &mut narrow.parts {
            if let JobInput::Hidden(rows) = &mut part.input {
                *rows = self.narrow(rows);
            }
        }
        let mut ran = self.toy.run(&narrow)?;
        for output in &mut ran.outputs {
            if let StageOutput::Hidden(rows) = output {
                *rows = self.widen(rows);
            }
        }
        Ok(Ran { flops: self.flops(job), ..ran })
    }

    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String> {
        let row_bytes = self.spec.cache_row_bytes(part.module as usize);
        Ok(resized(&self.toy.read_cache(part)?, CACHE_ROW_BYTES, row_bytes as usize))
    }

    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String> {
        let row_bytes = data.len() / usize::from(part.rows.max(1));
        self.toy.write_cache(part, &resized(data, row_bytes, CACHE_ROW_BYTES))
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        self.toy.tokenize(messages)
    }

    fn decode(&mut self, token: u32) -> String {
        self.toy.decode(token)
    }
}

fn toy_of(spec: &ModelSpec) -> ToyModel {
    ToyModel::with_encoder(spec.encoder_modules())
}

/// Rows of another length, cut off or filled up.
fn resized(rows: &[u8], from_bytes: usize, to_bytes: usize) -> Vec<u8> {
    let resized = |row: &[u8]| {
        let mut row = row.to_vec();
        row.resize(to_bytes, 0);
        row
    };
    rows.chunks(from_bytes.max(1)).flat_map(resized).collect()
}

/// The tokens that the toy answers a prompt with where nothing disturbs it.
///
/// # Errors
/// A sentence of the toy's.
pub(crate) fn undisturbed(
    spec: &ModelSpec,
    prompt: &str,
    options: Sampling,
) -> Result<Vec<u32>, String> {
    let mut toy = toy_of(spec);
    let range = ModuleRange::new(0, spec.modules.len());
    toy.load(&LoadStage {
        epoch: 1,
        model: spec.model.clone(),
        stages: vec![Resident { range, resident: range }],
        slots: 1,
        context_tokens: spec.model.context_tokens,
        rows: u16::MAX,
    })?;
    let prompt = toy.tokenize(&[Message::user(prompt)]);
    let mut next = match spec.encoder {
        Some(encoder) => encode(&mut toy, range, prompt).map(|()| vec![encoder.first_token])?,
        None => prompt,
    };
    let (mut position, mut tokens) = (0, Vec::new());
    while (tokens.len() as u32) < options.max_tokens {
        let rows = next.len();
        let sampling = SamplingStep { options, step: tokens.len() as u32, seen: Vec::new() };
        let input = JobInput::Tokens(next);
        let wants = Wants::Token(sampling);
        let output = run(&mut toy, (range, Pass::Run), (position, rows), input, wants)?;
        let StageOutput::Token { token, .. } = output else { break };
        position += rows as u32;
        tokens.push(token);
        next = vec![token];
    }
    Ok(tokens)
}

/// A whole prompt through the encoder and to those that read what it gives.
fn encode(toy: &mut ToyModel, range: ModuleRange, prompt: Vec<u32>) -> Result<(), String> {
    let (rows, input) = (prompt.len(), JobInput::Tokens(prompt));
    let output = run(toy, (range, Pass::Encode), (0, rows), input, Wants::Hidden)?;
    let StageOutput::Hidden(output) = output else { return Err("it gave no rows".to_owned()) };
    let input = JobInput::Hidden(output);
    run(toy, (range, Pass::Remember), (0, rows), input, Wants::Nothing).map(|_| ())
}

fn run(
    toy: &mut ToyModel,
    (range, pass): (ModuleRange, Pass),
    (position, rows): (u32, usize),
    input: JobInput,
    wants: Wants,
) -> Result<StageOutput, String> {
    let (request, rows) = (RequestId(0), rows as u16);
    let part = Part { request, slot: 0, position, rows, input, wants };
    let ran = toy.run(&Job { id: JobId(0), range, pass, parts: vec![part] })?;
    ran.outputs.into_iter().next().ok_or_else(|| "nothing came out".to_owned())
}
