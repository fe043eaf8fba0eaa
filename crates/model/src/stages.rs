//! All that one phone holds of a model: the stages that run, and modules beside them for a plan to come.

use base::ModuleRange;
use kernels::Gpu;

use crate::{
    error::ModelError,
    file::ModelFile,
    source::ByteSource,
    stage::{Stage, StageOptions},
};

/// A stage of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The modules that run.
    pub range: ModuleRange,
    /// Those that are on the GPU, the ones that run among them.
    pub resident: ModuleRange,
}

/// The stages of one phone; no module is in two of them.
#[derive(Debug)]
pub struct Stages<S> {
    list: Vec<Stage<S>>,
}

impl<S> Default for Stages<S> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<L: ByteSource> Stages<L> {
    /// Holds and runs what is `wanted` in place of what was there. Modules that are there already stay, unless those of one
    /// stage are wanted in two. `true` where nothing was loaded at all, and KV caches are as they were.
    ///
    /// # Errors
    /// Every kind of [`ModelError`]; then nothing is held any more.
    pub async fn load(
        &mut self,
        gpu: &Gpu,
        file: &ModelFile<impl ByteSource<Local = L>>,
        wanted: &[Wanted],
        options: StageOptions,
    ) -> Result<bool, ModelError> {
        let is_wanted = |stage: &Stage<L>| {
            let mut resident = wanted.iter().map(|wanted| wanted.resident.common(stage.resident()));
            stage.options() == options && resident.any(|common| !common.is_empty())
        };
        let mut held = std::mem::take(&mut self.list);
        // First, so that there is room for what comes.
        held.retain(is_wanted);
        gpu.release();
        let (mut list, mut has_caches) = (Vec::with_capacity(wanted.len()), true);
        for &Wanted { range, resident } in wanted {
            let has_some = |stage: &mut Stage<L>| !stage.resident().common(resident).is_empty();
            let mut parts: Vec<Stage<L>> = held.extract_if(.., has_some).collect();
            has_caches &= Stage::has_all(&parts, resident);
            let mut stage = match parts.pop() {
                Some(part) => part.reload(parts, file, resident).await?,
                None => Stage::load(gpu, file, resident, options).await?,
            };
            stage.activate(range)?;
            list.push(stage);
        }
        self.list = list;
        gpu.release();
        Ok(has_caches)
    }

    /// Frees what is in none of the `kept` ranges, as far as that leaves the rest as it is, and tells what of them is
    /// not held.
    pub fn keep(&mut self, kept: &[ModuleRange], options: StageOptions) -> Vec<ModuleRange> {
        let kept_of = |stage: &Stage<L>| {
            let runs = |range: &&ModuleRange| range.holds(stage.range());
            let has_some = |range: &&ModuleRange| !range.common(stage.resident()).is_empty();
            kept.iter().find(runs).or_else(|| kept.iter().find(has_some)).copied()
        };
        let list = std::mem::take(&mut self.list);
        let fitting = list.into_iter().filter(|stage| stage.options() == options);
        let smaller = fitting.filter_map(|stage| Some((kept_of(&stage)?, stage)));
        self.list = smaller.map(|(range, stage)| stage.without_others(range)).collect();
        kept.iter().flat_map(|&range| self.lacking(range)).collect()
    }

    /// The parts of a range that no stage has.
    fn lacking(&self, range: ModuleRange) -> Vec<ModuleRange> {
        let mut lacking: Vec<ModuleRange> = Vec::new();
        for module in range.indices().filter(|&module| !self.has(module)) {
            match lacking.last_mut().filter(|last| last.end == module) {
                Some(last) => last.end += 1,
                None => lacking.push(ModuleRange::new(module, module + 1)),
            }
        }
        lacking
    }

    /// One more stage, of modules that are not held; it becomes one with a stage that it goes on from, which runs what
    /// it ran.
    ///
    /// # Errors
    /// [`ModelError::Gpu`].
    pub async fn add(
        &mut self,
        stage: Stage<L>,
        file: &ModelFile<impl ByteSource<Local = L>>,
    ) -> Result<(), ModelError> {
        let is_next = |held: &Stage<L>| {
            let touches = held.resident().end == stage.resident().start;
            touches && held.options() == stage.options() && !file.modules_depend()
        };
        let Some(place) = self.list.iter().position(is_next) else {
            self.list.push(stage);
            return Ok(());
        };
        let held = self.list.swap_remove(place);
        let (range, end) = (held.range(), stage.resident().end);
        let both = ModuleRange::new(held.resident().start, end);
        let mut whole = held.reload(vec![stage], file, both).await?;
        whole.activate(range)?;
        self.list.push(whole);
        Ok(())
    }

    /// The stage that runs exactly that.
    pub fn running(&mut self, range: ModuleRange) -> Option<&mut Stage<L>> {
        self.list.iter_mut().find(|stage| stage.range() == range)
    }

    /// The stage that has a module, whether it runs or not.
    pub fn holding(&mut self, module: usize) -> Option<&mut Stage<L>> {
        self.list.iter_mut().find(|stage| stage.resident().contains(module))
    }

    /// Whether a module is held.
    pub fn has(&self, module: usize) -> bool {
        self.list.iter().any(|stage| stage.resident().contains(module))
    }

    /// Bytes on the GPU, of weights.
    pub fn bytes(&self) -> u64 {
        self.list.iter().map(Stage::bytes).sum()
    }

    /// Frees everything.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}
