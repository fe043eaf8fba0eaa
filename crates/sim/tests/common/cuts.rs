//! Rooms whose model is cut where a test wants it.

use base::ModuleProfile;
use protocol::peer::Pledge;
use session::{ModelSpec, RoomLimits};
use sim::{PhoneSpec, Sim, SimConfig};

use super::{NAMES, WIFI, ring};

/// Phones that have just as much memory as the model needs if it is cut before each of `cuts`, so that there is no
/// other plan. With `closes` the header has the last of these parts as well.
pub fn cut_at(mut model: ModelSpec, cuts: &[usize], closes: bool) -> SimConfig {
    for (index, module) in model.modules.iter_mut().enumerate() {
        // No others together take as much.
        module.weights_bytes = 1e6 + f64::from(1000 << index);
    }
    if closes {
        // Nobody but the header can hold both tables, because it shares them.
        let last = model.modules.len() - 1;
        (model.modules[0].weights_bytes, model.modules[last].weights_bytes) = (4e6, 4e6);
        model.tied = vec![base::Tied(0, last, 4e6)];
    }
    let ends = [0].into_iter().chain(cuts.iter().copied()).chain([model.modules.len()]);
    let ends: Vec<usize> = ends.collect();
    let part = |pair: &[usize]| -> f64 {
        model.modules[pair[0]..pair[1]].iter().map(ModuleProfile::resident_bytes).sum()
    };
    let mut bytes: Vec<f64> = ends.windows(2).map(part).collect();
    if closes {
        let last = bytes.pop().expect("there are parts");
        bytes[0] += last - 4e6;
    }
    // Of what is lent 0.7 is planned with.
    let pledge = |bytes: f64| Pledge::Bytes((bytes / 0.7 + 1000.0) as u64);
    let phones = bytes.iter().zip(NAMES);
    SimConfig {
        phones: phones.map(|(&bytes, name)| PhoneSpec::new(name, pledge(bytes))).collect(),
        link: WIFI,
        model,
        limits: RoomLimits { ring_may_close: closes, slots: 1, ..RoomLimits::default() },
    }
}

/// The starts of all stages but the first.
pub fn cuts_of(sim: &Sim) -> Vec<usize> {
    let plan = sim.view(0).plan.expect("a ready room has a plan");
    plan.stages.iter().skip(1).map(|stage| stage.start).collect()
}

/// What frames of one kind have gone from whom to whom, by the phones' numbers and sorted.
pub fn sent(sim: &Sim, name: &str) -> Vec<(usize, usize)> {
    let number = |id: &str| usize::from_str_radix(id, 16).expect("a phone's id") - 1;
    let pair = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let is_it = words.len() > 4 && words[2] == "->" && words[4] == name;
        is_it.then(|| (number(words[1]), number(words[3])))
    };
    let mut pairs: Vec<(usize, usize)> = sim.trace().iter().filter_map(pair).collect();
    pairs.sort_unstable();
    pairs
}

/// Who is to have an encoder's output from whom where it skips stages, each once.
pub fn readers(sim: &Sim) -> Vec<(usize, usize)> {
    let plan = sim.view(0).plan.expect("a ready room has a plan");
    let model = sim.model();
    let encoder = model.encoder.expect("it has an encoder");
    let phones = ring(sim);
    let stage_of = |module: usize| {
        plan.stages
            .iter()
            .position(|stage| (stage.start..stage.end).contains(&module))
            .expect("of a stage")
    };
    let from = phones[stage_of(encoder.modules - 1)];
    let readers = model.residual.iter().flat_map(|residual| &residual.to);
    let mut to: Vec<usize> = readers.map(|&module| phones[stage_of(module)]).collect();
    to.sort_unstable();
    to.dedup();
    to.into_iter().filter(|&to| to != from).map(|to| (from, to)).collect()
}
