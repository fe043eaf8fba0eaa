//! Metadata values.

use crate::{Cursor, GgufError};

/// A metadata value. Numbers of any width are kept as the widest of their kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Any floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    String(String),
    /// Values of one type.
    Array(Vec<Value>),
}

impl Value {
    /// As a count or an identifier, where it is a non-negative integer.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// As a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Unsigned(value) => Some(*value as f64),
            Self::Signed(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// As text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// As a truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// As a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// Reads a type tag and the value behind it; `key` names them in errors.
    ///
    /// # Errors
    /// [`GgufError::Truncated`], and [`GgufError::Invalid`] for a type that is not known.
    pub fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self, GgufError> {
        let tag = cursor.u32(key)?;
        Self::read_tagged(cursor, key, tag, 0)
    }

    fn read_tagged(
        cursor: &mut Cursor<'_>,
        key: &str,
        tag: u32,
        depth: usize,
    ) -> Result<Self, GgufError> {
        Ok(match tag {
            0 => Self::Unsigned(cursor.u8(key)?.into()),
            1 => Self::Signed((cursor.u8(key)? as i8).into()),
            2 => Self::Unsigned(u16::from_le_bytes(cursor.array(key)?).into()),
            3 => Self::Signed(i16::from_le_bytes(cursor.array(key)?).into()),
            4 => Self::Unsigned(cursor.u32(key)?.into()),
            5 => Self::Signed(i32::from_le_bytes(cursor.array(key)?).into()),
            6 => Self::Float(f32::from_le_bytes(cursor.array(key)?).into()),
            7 => Self::Bool(cursor.u8(key)? != 0),
            8 => Self::String(cursor.string(key)?),
            9 if depth < MAX_DEPTH => Self::read_array(cursor, key, depth + 1)?,
            10 => Self::Unsigned(cursor.u64(key)?),
            11 => Self::Signed(i64::from_le_bytes(cursor.array(key)?)),
            12 => Self::Float(f64::from_le_bytes(cursor.array(key)?)),
            _ => return Err(GgufError::invalid(key, format!("has the unknown type {tag}"))),
        })
    }

    fn read_array(cursor: &mut Cursor<'_>, key: &str, depth: usize) -> Result<Self, GgufError> {
        let tag = cursor.u32(key)?;
        let count = cursor.elements(key)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(Self::read_tagged(cursor, key, tag, depth)?);
        }
        Ok(Self::Array(values))
    }
}

/// Arrays in arrays that are followed.
const MAX_DEPTH: usize = 2;
