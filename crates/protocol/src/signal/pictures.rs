//! Four pictures that two phones show where nobody is between them: a person who sees the same on both screens knows
//! that each has met the other.
//!
//! HKDF-SHA256 of the secret gives 24 bits for two identities, whichever end asks; six bits choose a picture.

use base::Identity;

/// Four numbers of pictures, each below 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pictures([u8; 4]);

/// One of 64 things that nobody takes for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    /// An emoji.
    pub symbol: &'static str,
    /// What a screen reader says.
    pub name: &'static str,
}

impl Pictures {
    /// The pictures that 24 bits choose.
    pub fn from_bits(bits: [u8; 3]) -> Self {
        let [a, b, c] = bits;
        Self([a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63])
    }

    /// In the order in which they are shown.
    pub fn each(self) -> [Picture; 4] {
        self.0.map(|number| {
            let (symbol, name) = TABLE[usize::from(number) % TABLE.len()];
            Picture { symbol, name }
        })
    }
}

/// What is derived for two identities: the same at both ends.
pub(super) fn info(one: Identity, other: Identity) -> Vec<u8> {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    [&b"lingualinked/1 pictures"[..], &first.0, &second.0].concat()
}

/// A new order, or another picture, is another protocol.
const TABLE: [(&str, &str); 64] = [
    ("🐶", "dog"),
    ("🐱", "cat"),
    ("🐴", "horse"),
    ("🐮", "cow"),
    ("🐷", "pig"),
    ("🐑", "sheep"),
    ("🐘", "elephant"),
    ("🦁", "lion"),
    ("🐻", "bear"),
    ("🐰", "rabbit"),
    ("🐭", "mouse"),
    ("🐸", "frog"),
    ("🐟", "fish"),
    ("🐙", "octopus"),
    ("🐢", "turtle"),
    ("🐍", "snake"),
    ("🐔", "chicken"),
    ("🐧", "penguin"),
    ("🦉", "owl"),
    ("🐝", "bee"),
    ("🦋", "butterfly"),
    ("🐌", "snail"),
    ("🌳", "tree"),
    ("🌵", "cactus"),
    ("🌻", "sunflower"),
    ("🍄", "mushroom"),
    ("🍁", "leaf"),
    ("🌙", "moon"),
    ("⭐", "star"),
    ("🌈", "rainbow"),
    ("🔥", "fire"),
    ("☂️", "umbrella"),
    ("🍎", "apple"),
    ("🍌", "banana"),
    ("🍓", "strawberry"),
    ("🍒", "cherries"),
    ("🍋", "lemon"),
    ("🍇", "grapes"),
    ("🌽", "corn"),
    ("🥕", "carrot"),
    ("🍞", "bread"),
    ("🧀", "cheese"),
    ("🍕", "pizza"),
    ("🍰", "cake"),
    ("🥚", "egg"),
    ("☕", "cup"),
    ("🚗", "car"),
    ("🚲", "bicycle"),
    ("🚂", "train"),
    ("⛵", "boat"),
    ("🚀", "rocket"),
    ("✈️", "aeroplane"),
    ("🏠", "house"),
    ("🔑", "key"),
    ("🔔", "bell"),
    ("⚓", "anchor"),
    ("✂️", "scissors"),
    ("🔨", "hammer"),
    ("🎈", "balloon"),
    ("🎁", "present"),
    ("🎸", "guitar"),
    ("🥁", "drum"),
    ("⚽", "ball"),
    ("👑", "crown"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Invitation;
    use super::*;

    const ANN: Identity = Identity([0xaa; 32]);
    const BEN: Identity = Identity([0xbb; 32]);

    fn names(pictures: Pictures) -> [&'static str; 4] {
        pictures.each().map(|picture| picture.name)
    }

    #[test]
    fn both_ends_show_the_same_and_always_have() {
        let invitation = Invitation::from_secret([7; 32]);
        let shown = invitation.pictures(ANN, BEN);
        assert_eq!(shown, invitation.pictures(BEN, ANN));
        assert_eq!(names(shown), ANN_AND_BEN_IN_ROOM_OF_SEVENS);
    }

    #[test]
    fn another_phone_or_another_room_has_others() {
        let invitation = Invitation::from_secret([7; 32]);
        let shown = invitation.pictures(ANN, BEN);
        assert_ne!(shown, invitation.pictures(ANN, Identity([0xbc; 32])));
        assert_ne!(shown, Invitation::from_secret([8; 32]).pictures(ANN, BEN));
    }

    #[test]
    fn all_bits_choose() {
        let of = |bits| names(Pictures::from_bits(bits));
        assert_eq!(of([0; 3]), ["dog"; 4]);
        assert_eq!(of([0xff; 3]), ["crown"; 4]);
        assert_eq!(of([0b0000_0100, 0b0010_0000, 0b1100_0100]), ["cat", "horse", "cow", "pig"]);
    }

    #[test]
    fn no_two_pictures_look_or_are_called_alike() {
        let (symbols, names): (BTreeSet<&str>, BTreeSet<&str>) = TABLE.iter().copied().unzip();
        assert_eq!((symbols.len(), names.len()), (TABLE.len(), TABLE.len()));
    }

    /// By another implementation of HKDF (Python's hmac, RFC 5869 by hand).
    const ANN_AND_BEN_IN_ROOM_OF_SEVENS: [&str; 4] = ["house", "octopus", "mushroom", "tree"];
}
