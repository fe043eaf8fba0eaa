//! Copies that are loaded beside the steps of the stages: fetched while those go on, then put on the GPU module by module
//! between them.

use std::{cell::Cell, collections::VecDeque};

use super::*;

/// Copies that are being loaded.
pub(super) struct Loading<F: Files> {
    number: u32,
    opened: Rc<Opened<F>>,
    options: StageOptions,
    /// Modules that are not on the GPU yet.
    lacking: VecDeque<usize>,
    is_wanted: Rc<Cell<bool>>,
}

impl<F: Files> Drop for Loading<F> {
    /// Nothing more is fetched for them.
    fn drop(&mut self) {
        self.is_wanted.set(false);
    }
}

impl<W: World> Machine<W> {
    /// Frees what is not to be held any longer, and begins to fetch what is lacking.
    pub(super) async fn load_copies(&mut self, number: u32, copies: LoadStage) -> Option<Input> {
        match self.begin_to_load(number, copies).await {
            Ok(()) => None,
            Err(error) => Some(self.lacks(number, &error).await),
        }
    }

    async fn begin_to_load(&mut self, number: u32, copies: LoadStage) -> Result<(), ModelError> {
        if self.url != copies.model.url {
            self.free();
        }
        (self.trial, self.loading) = (None, None);
        self.url.clone_from(&copies.model.url);
        let (gpu, opened) = (self.gpu()?, self.open(&copies.model.url).await?);
        let options = options(&copies);
        let kept: Vec<ModuleRange> = copies.stages.iter().map(|stage| stage.resident).collect();
        let ranges = self.stages.keep(&kept, options);
        gpu.release();
        let lacking = ranges.iter().flat_map(|range| range.indices()).collect();
        let (is_wanted, tell) = (Rc::new(Cell::new(true)), self.tell.clone());
        let (source, goes_on) = (opened.clone(), is_wanted.clone());
        self.loading = Some(Loading { number, opened, options, lacking, is_wanted });
        spawn(async move {
            let fetched = fetch(&source, &ranges, || goes_on.get()).await;
            if goes_on.get() {
                tell(Done::Fetched(number, fetched.err()));
            }
        });
        Ok(())
    }

    /// All has been fetched, or not: puts the next module on the GPU. The one after it comes behind whatever waits.
    pub(super) async fn add(
        &mut self,
        number: u32,
        failed: Option<ModelError>,
    ) -> Option<DoneOf<W>> {
        let loading = self.loading.as_mut().filter(|loading| loading.number == number)?;
        if let Some(error) = failed {
            return Some(Done::Input(self.lacks(number, &error).await));
        }
        let Some(module) = loading.lacking.pop_front() else {
            self.loading = None;
            return Some(Done::Input(Input::CopiesLoaded { number, is_there: true }));
        };
        let (opened, options) = (loading.opened.clone(), loading.options);
        Some(match self.add_module(&opened, module, options).await {
            Ok(()) => Done::Fetched(number, None),
            Err(error) => Done::Input(self.lacks(number, &error).await),
        })
    }

    async fn add_module(
        &mut self,
        opened: &Opened<W::Files>,
        module: usize,
        options: StageOptions,
    ) -> Result<(), ModelError> {
        let (gpu, range) = (self.gpu()?, ModuleRange::new(module, module + 1));
        let stage = Stage::load(&gpu, &opened.file, range, options).await?;
        self.stages.add(stage, &opened.file).await
    }

    /// The stages that run go on without copies, unless the GPU is lost.
    async fn lacks(&mut self, number: u32, error: &ModelError) -> Input {
        self.loading = None;
        if let Some(gpu) = &self.gpu {
            gpu.release();
        }
        (self.tell)(Done::Remark(format!("this phone loads no copies: {error}")));
        if self.notice_loss(error).await {
            (self.tell)(Done::Input(Input::MeasureFailed { message: error.to_string() }));
            let failure = Failure::new(code_of(error), error.to_string());
            return Input::StageFailed { epoch: self.epoch, failure };
        }
        Input::CopiesLoaded { number, is_there: false }
    }
}

/// Brings modules onto this device, as far as it keeps anything.
async fn fetch<F: Files>(
    opened: &Opened<F>,
    ranges: &[ModuleRange],
    goes_on: impl Fn() -> bool,
) -> Result<(), ModelError> {
    for &range in ranges {
        opened.file.fetch(range, &goes_on).await?;
    }
    Ok(())
}
