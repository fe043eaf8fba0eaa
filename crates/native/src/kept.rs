//! Pieces of files kept on this computer, each with its SHA-256; in the layout of a browser's (`crates/web/src/kept.rs`).

use std::{
    cell::Cell,
    fs, io,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    rc::Rc,
    sync::OnceLock,
    time::SystemTime,
};

use peer::Store;
use sha2::{Digest as _, Sha256};

/// A file beside the pieces that says which version of the file they are of.
const VERSION: &str = "version";
const HASH_BYTES: usize = 32;

/// The kept pieces of one file.
pub struct Kept {
    folder: PathBuf,
    /// Whether a piece could not be kept; no other is tried then.
    has_failed: Cell<bool>,
    /// How much may still be kept.
    left_bytes: Cell<u64>,
    warn: Rc<dyn Fn(String)>,
}

impl Kept {
    /// The pieces of the file at `url` in this `version`, below `root`; those of its other versions are removed, and those
    /// of the files that this program has not opened, the oldest first, until there are no more than `most_bytes`. With the
    /// new ones there are never more. None where nothing can be kept.
    pub fn open(
        root: &Path,
        url: &str,
        version: &str,
        most_bytes: u64,
        warn: Rc<dyn Fn(String)>,
    ) -> Option<Self> {
        let (folder, started) = (folder_of(root, url), started());
        match of_version(&folder, version).and_then(|()| make_room(root, most_bytes, started)) {
            Ok(left_bytes) => {
                let left_bytes = Cell::new(left_bytes);
                Some(Self { folder, has_failed: Cell::new(false), left_bytes, warn })
            }
            Err(error) => {
                warn(unkept(&error));
                None
            }
        }
    }

    /// Those of the version of the last time, and that version; no others are kept. None where nothing is.
    pub fn latest(root: &Path, url: &str, warn: Rc<dyn Fn(String)>) -> Option<(Self, String)> {
        let folder = folder_of(root, url);
        let version = fs::read_to_string(folder.join(VERSION)).ok()?;
        let (has_failed, left_bytes) = (Cell::new(false), Cell::new(0));
        Some((Self { folder, has_failed, left_bytes, warn }, version))
    }

    fn path_of(&self, range: &Range<u64>) -> PathBuf {
        self.folder.join(format!("{}-{}", range.start, range.end))
    }
}

impl Store for Kept {
    async fn read(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        let path = self.path_of(range);
        let expected = range.end - range.start + HASH_BYTES as u64;
        if fs::metadata(&path).ok()?.len() != expected {
            return None;
        }
        let mut bytes = fs::read(path).ok()?;
        if bytes.len() as u64 != expected {
            return None;
        }
        let piece = bytes.split_off(HASH_BYTES);
        (bytes == Sha256::digest(&piece)[..]).then_some(piece)
    }

    async fn write(&self, range: &Range<u64>, piece: &[u8]) {
        let bytes = [&Sha256::digest(piece)[..], piece].concat();
        let left = self.left_bytes.get().checked_sub(bytes.len() as u64);
        let Some(left) = left.filter(|_| !self.has_failed.get()) else { return };
        self.left_bytes.set(left);
        if let Err(error) = write(&self.folder, &self.path_of(range), &bytes) {
            self.has_failed.set(true);
            (self.warn)(unkept(&error));
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

fn unkept(error: &io::Error) -> String {
    format!(
        "The model cannot be kept on this computer for the next time: {error}. It runs all the same."
    )
}

fn folder_of(root: &Path, url: &str) -> PathBuf {
    let digest = Sha256::digest(url.as_bytes());
    root.join(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Empties the folder, unless what it has is of this version. The version is written anew each time, which tells when the
/// file was opened last.
fn of_version(folder: &Path, version: &str) -> io::Result<()> {
    let path = folder.join(VERSION);
    if fs::read(&path).is_ok_and(|known| known == version.as_bytes()) {
        return write(folder, &path, version.as_bytes());
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(folder)?,
    }
    write(folder, &path, version.as_bytes())
}

/// Removes the folders below `root` that were not opened by this program, those of the longest ago first, until there are
/// no more than `most_bytes` in all. Gives how many more there may be then.
fn make_room(root: &Path, most_bytes: u64, started: SystemTime) -> io::Result<u64> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let opened = fs::metadata(path.join(VERSION)).and_then(|version| version.modified()).ok();
        folders.push((opened, bytes_in(&path)?, path));
    }
    folders.sort();
    let mut kept_bytes: u64 = folders.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in folders.iter().filter(|(opened, ..)| *opened < Some(started)) {
        if kept_bytes <= most_bytes {
            break;
        }
        fs::remove_dir_all(path)?;
        kept_bytes -= bytes;
    }
    Ok(most_bytes.saturating_sub(kept_bytes))
}

/// When this program opened its first file, or before.
fn started() -> SystemTime {
    static STARTED: OnceLock<SystemTime> = OnceLock::new();
    *STARTED.get_or_init(SystemTime::now)
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Writes a whole file. It is there when all of it is, and not before.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const URL: &str = "https://host/models/x.gguf";

    fn open(root: &Path, url: &str, version: &str, most_bytes: u64) -> Kept {
        Kept::open(root, url, version, most_bytes, Rc::new(|_| ())).unwrap()
    }

    #[test]
    fn pieces_come_back_in_the_same_version_only() {
        let root = tempfile::tempdir().unwrap();
        let open = |version| open(root.path(), URL, version, u64::MAX);
        assert!(Kept::latest(root.path(), URL, Rc::new(|_| ())).is_none());
        let kept = open("9 a");
        pollster::block_on(kept.write(&(2..5), b"abc"));
        let (latest, version) = Kept::latest(root.path(), URL, Rc::new(|_| ())).unwrap();
        assert_eq!(version, "9 a");
        assert_eq!(pollster::block_on(latest.read(&(2..5))).unwrap(), b"abc");
        assert_eq!(pollster::block_on(open("9 a").read(&(2..5))).unwrap(), b"abc");
        assert_eq!(pollster::block_on(open("9 a").read(&(2..6))), None);
        assert_eq!(pollster::block_on(open("9 b").read(&(2..5))), None);
        assert_eq!(pollster::block_on(open("9 a").read(&(2..5))), None, "it was removed");
    }

    #[test]
    fn what_was_opened_the_longest_ago_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let piece = |at| format!("{URL}.{at}");
        let is_kept = |at| Kept::latest(root.path(), &piece(at), Rc::new(|_| ())).is_some();
        for at in [1, 2, 0] {
            let kept = open(root.path(), &piece(at), "9", u64::MAX);
            pollster::block_on(kept.write(&(0..1000), &[0; 1000]));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let now = SystemTime::now();
        std::thread::sleep(std::time::Duration::from_millis(20));
        open(root.path(), &piece(3), "9", u64::MAX);
        assert!((1..1000).contains(&make_room(root.path(), 2500, now).unwrap()));
        assert_eq!([0, 1, 2, 3].map(is_kept), [true, false, true, true]);
        assert_eq!(make_room(root.path(), 0, now).unwrap(), 0);
        assert_eq!([0, 1, 2, 3].map(is_kept), [false, false, false, true]);
    }

    #[test]
    fn pieces_that_are_too_many_are_not_kept() {
        let root = tempfile::tempdir().unwrap();
        let kept = open(root.path(), URL, "9", 2000);
        for at in 0..9 {
            pollster::block_on(kept.write(&(1000 * at..1000 * (at + 1)), &[0; 1000]));
        }
        let is_kept = |at: u64| pollster::block_on(kept.read(&(1000 * at..1000 * (at + 1))));
        assert_eq!((0..9).filter(|at| is_kept(*at).is_some()).count(), 1);
        assert_eq!(open(root.path(), URL, "9", 0).left_bytes.get(), 0);
    }

    #[test]
    fn a_damaged_piece_is_none() {
        let root = tempfile::tempdir().unwrap();
        let kept = open(root.path(), URL, "9", u64::MAX);
        pollster::block_on(kept.write(&(0..3), b"abc"));
        let path = kept.path_of(&(0..3));
        let whole = fs::read(&path).unwrap();
        for bytes in [&whole[..HASH_BYTES], &whole[1..], &[&whole[..], b"d"].concat()] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(pollster::block_on(kept.read(&(0..3))), None);
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(pollster::block_on(kept.read(&(0..3))), None, "byte {at}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let hear = told.clone();
        let warn = Rc::new(move |text| hear.borrow_mut().push(text));
        let kept = Kept::open(root.path(), URL, "9", u64::MAX, warn).unwrap();
        fs::remove_dir_all(root.path()).unwrap();
        for _ in 0..3 {
            pollster::block_on(kept.write(&(0..3), b"abc"));
        }
        assert_eq!(told.borrow().len(), 1);
    }
}
