//! Cuts a large IATI file into well-formed files that each stay below a size, byte for byte as the activities were, in
//! constant memory: `split FILE MEGABYTES FOLDER`. Without arguments it shows itself on a small file of its own.
#![expect(clippy::print_stdout, reason = "it prints what it wrote")]

use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use rsr_base::ByteSize;
use rsr_iati::lossless;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [file, megabytes, folder] => {
            let size = ByteSize::from_mib(megabytes.parse()?);
            split(&mut || File::open(file), size, Path::new(folder))
        }
        _ => {
            let folder = tempfile::tempdir()?;
            let activities: String = (0..100).map(activity).collect();
            let whole = format!("<iati-activities version=\"2.03\">{activities}</iati-activities>");
            split(
                &mut || Ok(io::Cursor::new(whole.clone())),
                ByteSize::from_kib(4),
                folder.path(),
            )
        }
    }
}

fn activity(nth: u32) -> String {
    format!(
        "<iati-activity><iati-identifier>XM-EXAMPLE-{nth}</iati-identifier>\
         <title><narrative>Well number {nth}</narrative></title></iati-activity>\n"
    )
}

/// `open` gives the input twice: sizes are measured before anything is written.
fn split<R: Read>(
    open: &mut dyn FnMut() -> io::Result<R>,
    size_max: ByteSize,
    folder: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let path = |number: usize| folder.join(format!("activities-{number:04}.xml"));
    let mut n_files = 0;
    let tally = lossless::split(
        open,
        size_max,
        &mut |number| File::create(path(number)).map(BufWriter::new),
        &mut |_whole, piece| {
            n_files += 1;
            println!(
                "{} activities in {} bytes",
                piece.n_activities, piece.n_bytes
            );
            Ok(())
        },
    )?;
    println!("{} activities in {n_files} files", tally.n_written);
    Ok(())
}
