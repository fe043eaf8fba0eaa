//! Fingerprints of files, so that a step whose inputs did not change is skipped.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A number that changes with the names or the contents of the files below `paths`.
///
/// Missing paths count as such. Folders named in `skip` are left out wherever they stand.
pub fn fingerprint(paths: &[PathBuf], skip: &[&str]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        for file in list(path, skip)? {
            file.hash(&mut hasher);
            fs::read(&file)
                .with_context(|| format!("cannot read {}", file.display()))?
                .hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether `stamp` holds `value`.
pub fn is_fresh(stamp: &Path, value: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == value)
}

/// Writes `value` to `stamp`.
pub fn write_stamp(stamp: &Path, value: &str) -> Result<()> {
    fs::write(stamp, value).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The files below `path`, or `path` itself where it is a file, in a fixed order.
pub fn list(path: &Path, skip: &[&str]) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(next) = waiting.pop() {
        let skipped = next.file_name().is_some_and(|name| skip.iter().any(|s| name == *s));
        if skipped {
            continue;
        }
        if next.is_dir() {
            for entry in
                fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))?
            {
                waiting.push(entry?.path());
            }
        } else if next.is_file() {
            found.insert(next);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("skipped")).unwrap();
        fs::write(path.join("one"), "1").unwrap();
        path
    }

    #[test]
    fn a_changed_a_new_and_a_renamed_file_change_the_fingerprint() {
        let path = folder("fingerprint");
        let of = || fingerprint(std::slice::from_ref(&path), &["skipped"]).unwrap();
        let mut seen = vec![of()];
        assert_eq!(seen[0], of());
        fs::write(path.join("one"), "2").unwrap();
        seen.push(of());
        fs::write(path.join("two"), "").unwrap();
        seen.push(of());
        fs::rename(path.join("two"), path.join("three")).unwrap();
        seen.push(of());
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 4);
        fs::write(path.join("skipped/four"), "4").unwrap();
        assert_eq!(seen[3], of());
        fs::remove_dir_all(path).unwrap();
    }
}
