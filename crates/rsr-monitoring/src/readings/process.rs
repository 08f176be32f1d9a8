//! Figures of this process.

use std::path::{Path, PathBuf};

use rsr_base::{ByteSize, read_at_most};

use super::file::{KeptFile, field, kib};

/// Memory of this process, as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessReading {
    /// Physical memory held now (RSS).
    pub resident: ByteSize,
    /// Address space mapped now.
    pub virtual_size: ByteSize,
    /// Most physical memory ever held at once.
    pub peak_resident: Option<ByteSize>,
    /// Threads that run now.
    pub n_threads: Option<u64>,
    /// Files, sockets and pipes open now.
    pub n_open_files: Option<u64>,
}

/// The two figures that cost next to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statm {
    pub(super) virtual_size: ByteSize,
    pub(super) resident: ByteSize,
}

#[derive(Debug)]
pub(super) struct ProcessFiles {
    statm: KeptFile,
    status: KeptFile,
    open_files: PathBuf,
    page: ByteSize,
}

/// The page of all machines we know of where the kernel does not say.
const PAGE: ByteSize = ByteSize::from_kib(4);

impl ProcessFiles {
    pub(super) fn open(root: &Path) -> Self {
        let own = root.join("proc/self");
        Self {
            statm: KeptFile::open(&own.join("statm")),
            status: KeptFile::open(&own.join("status")),
            page: page_size(&own.join("auxv")).unwrap_or(PAGE),
            open_files: own.join("fd"),
        }
    }

    pub(super) fn statm(&self) -> Option<Statm> {
        self.statm.read::<256, _>(|text| {
            let mut pages = text.split_whitespace().map(str::parse::<u64>);
            let mut next = || -> Option<ByteSize> {
                let bytes = pages.next()?.ok()?.checked_mul(self.page.bytes())?;
                Some(ByteSize::from_bytes(bytes))
            };
            Some(Statm {
                virtual_size: next()?,
                resident: next()?,
            })
        })
    }

    pub(super) fn read(&self) -> Option<ProcessReading> {
        let Statm {
            virtual_size,
            resident,
        } = self.statm()?;
        let (peak_resident, n_threads) = self
            .status
            .read::<4096, _>(|text| Some((kib(text, "VmHWM"), field(text, "Threads"))))
            .unwrap_or_default();
        let n_open_files = std::fs::read_dir(&self.open_files)
            .ok()
            .map(|entries| entries.count() as u64);
        Some(ProcessReading {
            resident,
            virtual_size,
            peak_resident,
            n_threads,
            n_open_files,
        })
    }
}

/// The page size, from the vector of number pairs that the kernel hands each program (entry 6, `AT_PAGESZ`).
fn page_size(auxv: &Path) -> Option<ByteSize> {
    const AT_PAGESZ: usize = 6;
    const WORD: usize = size_of::<usize>();
    let bytes = read_at_most(std::fs::File::open(auxv).ok()?, ByteSize::from_kib(16)).ok()?;
    let word = |chunk: &[u8]| chunk.try_into().ok().map(usize::from_ne_bytes);
    bytes.chunks_exact(2 * WORD).find_map(|pair| {
        let (key, value) = pair.split_at(WORD);
        (word(key)? == AT_PAGESZ)
            .then(|| word(value))?
            .map(|bytes| ByteSize::from_bytes(bytes as u64))
    })
}
