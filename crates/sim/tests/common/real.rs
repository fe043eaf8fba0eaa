//! Phones that run the real kernels.
#![allow(dead_code, reason = "every test file uses some of it")]

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use base::{Message, ModuleRange};
use kernels::Gpu;
use model::{MemoryPart, MemorySource, ModelFile, Stage, StageOptions, Stages, TextFiles, Wanted};
use pollster::block_on;
use protocol::peer::{CacheAsk, ModelRef};
use session::{EncoderSpec, Job, LoadStage, ModelSpec, Resident};
use sim::{Loaded, Ran, StageRunner};
use text::{Decoder, Text};

const CONTEXT_TOKENS: usize = 128;

/// The one GPU of this process; tests take turns.
pub fn gpu() -> MutexGuard<'static, Gpu> {
    static GPU: OnceLock<Mutex<Gpu>> = OnceLock::new();
    let open = || block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
    GPU.get_or_init(|| Mutex::new(open())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model in memory and the GPU that runs it.
pub struct RealModel {
    gpu: Gpu,
    file: ModelFile<MemorySource>,
    text: Text,
    decoder: RefCell<Decoder>,
}

impl RealModel {
    pub fn open(bytes: &[u8], gpu: Gpu) -> Self {
        let file = block_on(ModelFile::open(MemorySource(bytes.to_vec()))).expect("it is sound");
        let Ok(TextFiles::Gguf(front)) = block_on(file.text_files()) else {
            panic!("a GGUF file has its texts in its front")
        };
        let text = Text::from_gguf(&front, file.config().vocab).expect("it has a tokenizer");
        Self { gpu, file, text, decoder: RefCell::default() }
    }

    pub fn layers(&self) -> usize {
        self.file.config().layers
    }

    pub fn spec(&self) -> ModelSpec {
        let profiles = self.file.profiles(CONTEXT_TOKENS, 1).expect("the context is the model's");
        ModelSpec {
            model: ModelRef {
                url: "/models/tiny.gguf".into(),
                name: "tiny".into(),
                total_bytes: self.file.bytes(),
                context_tokens: CONTEXT_TOKENS as u32,
                takes_chats: false,
                labels: self.file.config().labels.clone(),
            },
            modules: profiles.modules,
            sequential_bytes: profiles.sequential_bytes,
            residual: profiles.residual,
            tied: profiles.tied,
            encoder: self.file.config().encoder.map(|encoder| EncoderSpec {
                modules: self.file.modules().encoder_modules(),
                first_token: encoder.first_token,
            }),
            eos: self.text.eos().to_vec(),
            row_bytes: (self.file.config().hidden * size_of::<f32>()) as u32,
            modules_depend: self.file.modules_depend(),
            slots: 1,
        }
    }
}

/// One phone's device.
pub struct Phone {
    model: Rc<RealModel>,
    stages: Stages<MemoryPart>,
}

impl Phone {
    pub fn of(model: &Rc<RealModel>) -> Self {
        Self { model: model.clone(), stages: Stages::default() }
    }
}

impl StageRunner for Phone {
    fn load(&mut self, plan: &LoadStage) -> Result<Loaded, String> {
        let (gpu, file) = (&self.model.gpu, &self.model.file);
        let wanted: Vec<Wanted> = plan
            .stages
            .iter()
            .map(|&Resident { range, resident }| Wanted { range, resident })
            .collect();
        let loaded = block_on(self.stages.load(gpu, file, &wanted, options(plan)));
        let has_caches = loaded.map_err(|error| error.to_string())?;
        Ok(Loaded { bytes: self.stages.bytes(), has_caches })
    }

    fn copies_bytes(&self, copies: &LoadStage) -> u64 {
        let modules = copies.stages.iter().flat_map(|stage| stage.resident.indices());
        let missing = modules.filter(|&module| !self.stages.has(module));
        let bytes = |module| self.model.file.stage_bytes(ModuleRange::new(module, module + 1));
        missing.filter_map(|module| bytes(module).ok()).sum()
    }

    fn load_copies(&mut self, copies: &LoadStage) -> Result<(), String> {
        let kept: Vec<ModuleRange> = copies.stages.iter().map(|stage| stage.resident).collect();
        for range in self.stages.keep(&kept, options(copies)) {
            let (gpu, file) = (&self.model.gpu, &self.model.file);
            let loaded = block_on(Stage::load(gpu, file, range, options(copies)));
            let added = loaded.and_then(|stage| block_on(self.stages.add(stage, file)));
            added.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn unload(&mut self) {
        self.stages.clear();
    }

    fn run(&mut self, job: &Job) -> Result<Ran, String> {
        let stage = self.stages.running(job.range).expect("the session runs loaded ranges");
        let before = self.model.gpu.dispatches();
        let outputs = block_on(peer::pass(stage, job)).map_err(|error| error.to_string())?;
        let dispatches = (self.model.gpu.dispatches() - before) as u32;
        Ok(Ran { outputs, flops: 1e6 * job.rows() as f64, dispatches })
    }

    fn read_cache(&mut self, part: &CacheAsk) -> Result<Vec<u8>, String> {
        let (module, slot) = (part.module as usize, part.slot.into());
        let stage = self.stages.holding(module).ok_or("its module is not loaded")?;
        let read = block_on(stage.read_cache(module, slot, part.positions()));
        read.map_err(|error| error.to_string())
    }

    fn write_cache(&mut self, part: &CacheAsk, data: &[u8]) -> Result<(), String> {
        let (module, slot) = (part.module as usize, part.slot.into());
        let stage = self.stages.holding(module).ok_or("its module is not loaded")?;
        let written = stage.write_cache(module, slot, part.positions(), data);
        written.map_err(|error| error.to_string())
    }

    fn tokenize(&mut self, messages: &[Message]) -> Vec<u32> {
        let last = messages.last().expect("an ask has a message");
        self.model.text.tokenizer().encode(&last.content).expect("any text has tokens")
    }

    fn decode(&mut self, token: u32) -> String {
        self.model.decoder.borrow_mut().push(self.model.text.tokenizer(), token)
    }
}

fn options(load: &LoadStage) -> StageOptions {
    StageOptions {
        context_tokens: load.context_tokens as usize,
        slots: load.slots.into(),
        rows: load.rows.into(),
    }
}
