//! Models in several files, as llama.cpp's `gguf-split` writes them: all metadata in the first, and in
//! each which of how many it is.

use super::{GgufError, Index, Value};

const COUNT: &str = "split.count";
const NUMBER: &str = "split.no";
const TENSORS: &str = "split.tensors.count";
/// Files of one model that are followed.
const MAX_FILES: usize = 256;

/// The names of all files of a model when `name` is one of several: `x-00001-of-00003.gguf` and its
/// sisters, in order.
pub fn split_names(name: &str) -> Option<Vec<String>> {
    let (stem, extension) = name.rsplit_once('.')?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (base, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        let is_number = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<usize>().ok()).flatten()
    };
    let (number, count) = (digits(number)?, digits(count)?);
    let is_one = number >= 1 && number <= count && count <= MAX_FILES;
    is_one.then(|| {
        (1..=count).map(|number| format!("{base}-{number:05}-of-{count:05}.{extension}")).collect()
    })
}

impl Index {
    /// The index of a whole model from those of its files and where each file begins when all are
    /// read one behind the other.
    ///
    /// # Errors
    /// [`GgufError::Invalid`] when the files are not all the files of one model, in order.
    pub fn join(parts: Vec<Self>, starts: &[u64]) -> Result<Self, GgufError> {
        let (count, mut whole) = (parts.len(), None::<Self>);
        for (number, (mut part, start)) in parts.into_iter().zip(starts).enumerate() {
            expect(&part, COUNT, 1, count as u64)?;
            expect(&part, NUMBER, 0, number as u64)?;
            for tensor in part.tensors.values_mut() {
                let moved = |at: u64| at.saturating_add(*start);
                tensor.range = moved(tensor.range.start)..moved(tensor.range.end);
            }
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => whole.add(part)?,
            }
        }
        let whole = whole.ok_or_else(|| GgufError::invalid(COUNT, "there are no files"))?;
        let tensors = whole.tensors.len() as u64;
        expect(&whole, TENSORS, tensors, tensors)?;
        Ok(whole)
    }

    /// Adds the tensors of a further file.
    pub(crate) fn add(&mut self, part: Self) -> Result<(), GgufError> {
        for (name, tensor) in part.tensors {
            if self.tensors.contains_key(&name) {
                let problem = "is in two files of the model";
                return Err(GgufError::invalid(format!("tensor `{name}`"), problem));
            }
            self.tensors.insert(name, tensor);
        }
        Ok(())
    }
}

fn expect(part: &Index, key: &str, otherwise: u64, expected: u64) -> Result<(), GgufError> {
    let found = part.metadata.get(key).map_or(Some(otherwise), Value::as_u64);
    match found {
        Some(found) if found == expected => Ok(()),
        _ => {
            let found = found.map_or("no count".to_owned(), |found| found.to_string());
            let problem =
                format!("is {found} where {expected} belongs: all files of the model are needed");
            Err(GgufError::invalid(key, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split_names;

    #[test]
    fn one_name_gives_all() {
        let all = ["a-b-00001-of-00002.gguf", "a-b-00002-of-00002.gguf"];
        for name in all {
            assert_eq!(split_names(name).expect("it is one of two"), all);
        }
        for name in [
            "a.gguf",
            "a-00001-of-2.gguf",
            "a-00003-of-00002.gguf",
            "a-00000-of-00002.gguf",
            "a-00001-of-99999.gguf",
            "a-+0001-of-00002.gguf",
            "00001-of-00002.gguf",
            "a-00001-of-00002",
        ] {
            assert_eq!(split_names(name), None, "{name}");
        }
    }
}
