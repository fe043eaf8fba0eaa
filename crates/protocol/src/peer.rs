//! Binary frames between the phones of a room.
