//! Codes as phones film them by hand, drawn with seeds: how many of them are read. Both ways to look must read theirs, as
//! the page takes them in turns.

mod film;

use film::{LINK, Shot, WIDTH};
use lingualinked_scan::read_qr;

const SEEDS: u64 = 10;

/// What is difficult about a picture, how it is taken, and how many of ten are read at least.
type Kind = (&'static str, fn(&mut film::Random) -> Shot, usize);

const KINDS: [Kind; 7] = [
    ("out of focus", out_of_focus, 9),
    ("from the side", from_the_side, 8),
    ("a lamp in the screen", lit, 9),
    ("noise", noisy, 9),
    ("far away", far, 6),
    ("in the dark", dark, 8),
    ("some of everything", mixed, 8),
];

fn out_of_focus(random: &mut film::Random) -> Shot {
    Shot { blur: random.between(1.0, 3.5), ..Shot::held(random) }
}

fn from_the_side(random: &mut film::Random) -> Shot {
    Shot { tilt: [random.between(-0.45, 0.45), random.between(-0.45, 0.45)], ..Shot::held(random) }
}

fn lit(random: &mut film::Random) -> Shot {
    Shot { glare: random.between(80.0, 260.0), ..Shot::held(random) }
}

fn noisy(random: &mut film::Random) -> Shot {
    Shot { noise: random.between(15.0, 50.0), ..Shot::held(random) }
}

fn far(random: &mut film::Random) -> Shot {
    Shot { size: random.between(90.0, 170.0), ..Shot::held(random) }
}

fn dark(random: &mut film::Random) -> Shot {
    let (light, noise) = (random.between(0.08, 0.3), random.between(4.0, 12.0));
    Shot { light, noise, ..Shot::held(random) }
}

fn mixed(random: &mut film::Random) -> Shot {
    Shot {
        size: random.between(180.0, 400.0),
        tilt: [random.between(-0.3, 0.3), random.between(-0.3, 0.3)],
        blur: random.between(0.6, 1.8),
        glare: random.between(0.0, 120.0),
        noise: random.between(5.0, 25.0),
        light: random.between(0.3, 1.0),
        shade: random.between(0.0, 0.6),
        ..Shot::held(random)
    }
}

#[test]
fn most_are_read() {
    let mut complaints = Vec::new();
    for (kind, (what, take, least)) in (0..).zip(KINDS) {
        let [mut whole, mut halved, mut either] = [0; 3];
        for seed in 0..SEEDS {
            let mut random = film::Random::new(1000 * kind + seed);
            let picture = film::taken(&take(&mut random), &mut random);
            let reads = |half| read_qr(&picture, WIDTH, half).as_deref() == Some(LINK);
            let (by_whole, by_half) = (reads(false), reads(true));
            whole += usize::from(by_whole);
            halved += usize::from(by_half);
            either += usize::from(by_whole || by_half);
        }
        let line = format!("{what}: {either} of {SEEDS}, {whole} whole, {halved} halved");
        println!("{line}");
        if either < least {
            complaints.push(line);
        }
    }
    assert!(complaints.is_empty(), "fewer than they were: {complaints:#?}");
}
