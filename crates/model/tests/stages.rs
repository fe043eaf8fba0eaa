//! What one phone holds changes while it runs.

mod common;

use base::ModuleRange;
use common::{gpu, open, options};
use kernels::{Gpu, Step};
use model::{MemoryPart, MemorySource, ModelFile, Stage, StageInput, StageOutput, Stages, Wanted};
use pollster::block_on;
use testkit::golden;

const TOKENS: [u32; 9] = [5, 9, 2, 7, 11, 3, 8, 6, 4];
const SLOT: usize = 1;
/// Where the model is cut at first, and where then.
const CUTS: [usize; 2] = [3, 5];

/// Two phones with all of a model.
struct Phones<'a> {
    gpu: &'a Gpu,
    file: &'a ModelFile<MemorySource>,
    stages: [Stages<MemoryPart>; 2],
    cut: usize,
}

impl Phones<'_> {
    fn ranges(&self) -> [ModuleRange; 2] {
        let end = self.file.modules().list.len();
        [ModuleRange::new(0, self.cut), ModuleRange::new(self.cut, end)]
    }

    /// Whether caches are as they were, by phone.
    fn load(&mut self, cut: usize) -> [bool; 2] {
        self.cut = cut;
        let ranges = self.ranges();
        [0, 1].map(|phone| {
            let wanted = [Wanted { range: ranges[phone], resident: ranges[phone] }];
            let stages = &mut self.stages[phone];
            block_on(stages.load(self.gpu, self.file, &wanted, options(16))).expect("it loads")
        })
    }

    fn logits(&mut self, position: u32, tokens: &[u32]) -> Vec<f32> {
        let ranges = self.ranges();
        let mut step = Step::chunk(SLOT as u32, position, tokens.len() as u32);
        step.head_rows.extend(step.last_row());
        let first = self.stages[0].running(ranges[0]).expect("it is loaded");
        let hidden = match block_on(first.run(step.clone(), StageInput::Tokens(tokens))) {
            Ok(StageOutput::Hidden(hidden)) => hidden,
            other => panic!("{other:?}"),
        };
        let second = self.stages[1].running(ranges[1]).expect("it is loaded");
        match block_on(second.run(step, StageInput::Hidden(&hidden))) {
            Ok(StageOutput::Logits(logits)) => logits,
            other => panic!("{other:?}"),
        }
    }

    /// The first phone loads what it will run beside what it runs.
    fn load_copies(&mut self, cut: usize) {
        let kept = ModuleRange::new(0, cut);
        let lacking = self.stages[0].keep(&[kept], options(16));
        assert_eq!(lacking, [ModuleRange::new(self.cut, cut)]);
        for module in lacking.iter().flat_map(|range| range.indices()) {
            let range = ModuleRange::new(module, module + 1);
            let stage = block_on(Stage::load(self.gpu, self.file, range, options(16)));
            let added = self.stages[0].add(stage.expect("it loads"), self.file);
            block_on(added).expect("the modules go on from others");
        }
    }

    /// What the second phone knows of so many positions goes to the first.
    fn move_caches(&mut self, modules: ModuleRange, rows: usize) {
        let all = self.file.modules().list;
        for module in modules.indices().filter(|&module| all[module].part().0 == "attn") {
            let [first, second] = &mut self.stages;
            let from = second.holding(module).expect("it ran it");
            let bytes = block_on(from.read_cache(module, SLOT, 0..rows)).expect("rows");
            let to = first.holding(module).expect("it runs it");
            to.write_cache(module, SLOT, 0..rows, &bytes).expect("room");
        }
    }
}

fn phones<'a>(gpu: &'a Gpu, file: &'a ModelFile<MemorySource>) -> Phones<'a> {
    let mut phones = Phones { gpu, file, stages: [Stages::default(), Stages::default()], cut: 0 };
    assert_eq!(phones.load(CUTS[0]), [false, false]);
    phones
}

#[test]
fn modules_loaded_beside_a_stage_are_taken_up_with_all_caches() {
    for name in ["qwen3-f32", "bloom-q8_0", "llama-q8_0"] {
        let (file, gpu) = (open(golden(name).gguf), gpu());
        let mut steady = phones(&gpu, &file);
        let expected = [(0, 6), (6, 7), (7, 9)]
            .map(|(from, to)| steady.logits(from as u32, &TOKENS[from..to]));
        let mut moving = phones(&gpu, &file);
        assert!(moving.logits(0, &TOKENS[..6]) == expected[0], "{name}");
        moving.load_copies(CUTS[1]);
        assert!(moving.logits(6, &TOKENS[6..7]) == expected[1], "{name}: loading disturbs it");
        let moved = ModuleRange::new(CUTS[0], CUTS[1]);
        let second = moving.stages[1].running(moving.ranges()[1]).expect("it runs");
        assert_eq!(second.resident().start, moved.start);
        let wanted = [Wanted {
            range: ModuleRange::new(0, CUTS[1]),
            resident: ModuleRange::new(0, CUTS[1]),
        }];
        let loaded = block_on(moving.stages[0].load(&gpu, &file, &wanted, options(16)));
        assert_eq!(loaded, Ok(true), "{name}");
        moving.move_caches(moved, 7);
        assert_eq!(moving.load(CUTS[1]), [true, true], "{name}");
        assert!(moving.logits(7, &TOKENS[7..]) == expected[2], "{name}: other bits");
    }
}

#[test]
fn it_is_told_where_caches_are_not_as_they_were() {
    // Norms of this model have gains of their neighbours, so that they are loaded again.
    let (file, gpu) = (open(golden("gemma3-q8_0").gguf), gpu());
    let mut moving = phones(&gpu, &file);
    moving.load_copies(CUTS[1]);
    assert_eq!(moving.load(CUTS[1]), [false, false]);
    assert_eq!(moving.load(CUTS[1]), [true, true]);
    // And of any where some was not there.
    let file = open(golden("qwen3-f32").gguf);
    let mut moving = phones(&gpu, &file);
    assert_eq!(moving.load(CUTS[1]), [false, true]);
}
