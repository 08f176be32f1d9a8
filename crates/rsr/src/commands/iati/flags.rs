//! The flags of `rsr iati`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rsr_base::ByteSize;

#[derive(Debug, Subcommand)]
pub(crate) enum Iati {
    /// Cuts a file into numbered ones below a size or a number of activities, each activity byte for byte
    #[command(
        after_help = "Example: rsr iati split big.xml --count 1000 -o part.xml\n         \
                      makes part-1.xml, part-2.xml …\n\n\
                      JSON: {\"activities\",\"characters_replaced\",\"files\":[{\"file\",\"activities\",\"bytes\"}]}; \
                      bytes are those before compression"
    )]
    Split(Split),
    /// Puts the activities of many files into one, each activity byte for byte
    #[command(
        after_help = "Example: rsr iati merge folder/ more.xml.gz -o all.xml\n\n\
                      JSON (with -o): {\"read\",\"written\",\"characters_replaced\",\"file\",\"bytes\"}; \
                      with --upgrade that of `rsr iati upgrade`"
    )]
    Merge(Merge),
    /// Keeps the activities that fulfil all conditions, byte for byte
    #[command(
        after_help = "Example: rsr iati filter all.xml --country KE --country UG --status 2 -o active.xml\n\n\
                      Conditions of one kind are alternatives, those of different kinds must all hold.\n\
                      JSON (with -o): {\"read\",\"written\",\"characters_replaced\",\"file\",\"bytes\"}"
    )]
    Filter(Box<Filter>),
    /// Writes activities of any version as 2.03, or organisations, and says what could not be carried over
    #[command(after_help = "Example: rsr iati upgrade old-1.04.xml -o new.xml\n\n\
                      Organisation files become one of organisations; beside files of activities they are passed over.\n\
                      JSON (with -o): {\"read\",\"written\",\"left_out\",\"skipped\",\"elements_left_out\":{element: count},\
                      \"parts_left_out\",\"characters_replaced\",\"findings\":{code: count},\"files\":[…]}; \
                      each file has its \"activities\" or \"organisations\"")]
    Upgrade(Upgrade),
    /// Counts activities and adds up transactions, exactly
    #[command(after_help = "Example: rsr iati stats activities.xml --json\n\n\
                      JSON: {\"files\",\"bytes\",\"activities\",\"skipped\",\"findings\",\"elements\",\
                      \"largest\":{\"identifier\",\"file\",\"line\",\"bytes\"},\"by_version\":{…},\"by_reporting_org\",\"by_status\",\
                      \"by_sector\",\"by_country\",\"by_start_year\",\"by_hierarchy\",\
                      \"transactions\":[{\"level\",\"type\",\"currency\",\"count\",\"sum\",\"without_amount\"}]}; sums are text, since they are exact")]
    Stats(Stats),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Split {
    /// The file, or - for standard input; .gz as is
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    /// Name that the numbers go into; without it, the file's own name in the current folder
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Most bytes of a file before compression, 60MB unless the settings say otherwise
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_bytes: Option<ByteSize>,
    /// Most activities of a file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Compress with gzip
    #[arg(long)]
    pub(crate) gzip: bool,
}

/// Inputs, output and its compression.
#[derive(Args, Clone, Debug)]
pub(crate) struct Between {
    /// Files, folders (every .xml and .xml.gz under them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The file to write; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Compress with gzip, as a file named .gz always is
    #[arg(long)]
    pub(crate) gzip: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Merge {
    #[command(flatten)]
    pub(crate) between: Between,
    /// Write everything as 2.03, since a file has one version; activities are then written anew
    #[arg(long)]
    pub(crate) upgrade: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Filter {
    #[command(flatten)]
    pub(crate) between: Between,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
    /// Keep what does not fulfil the conditions instead
    #[arg(long)]
    pub(crate) invert: bool,
}

/// What activities must be like. The values of one condition are alternatives.
#[derive(Args, Clone, Debug, Default)]
#[group(required = true, multiple = true)]
pub(crate) struct Conditions {
    /// Reported by this organisation
    #[arg(long, value_name = "REF")]
    pub(crate) reporting_org: Vec<String>,
    /// With this identifier
    #[arg(long, value_name = "ID")]
    pub(crate) identifier: Vec<String>,
    /// With one of the identifiers in this file, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) identifiers_from: Option<PathBuf>,
    /// In this country, by its activity or a transaction
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Vec<String>,
    /// In this region, by its activity or a transaction
    #[arg(long, value_name = "CODE")]
    pub(crate) region: Vec<String>,
    /// In this sector, by its activity or a transaction; of one vocabulary with VOCABULARY:CODE
    #[arg(long, value_name = "CODE")]
    pub(crate) sector: Vec<String>,
    /// With this activity status
    #[arg(long, value_name = "CODE")]
    pub(crate) status: Vec<String>,
    /// On this level; 1 where none is given
    #[arg(long, value_name = "N")]
    pub(crate) hierarchy: Vec<i32>,
    /// Not ended before this day (actual end, else the planned one; without one it goes on)
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) active_from: Option<String>,
    /// Started by this day (actual start, else the planned one)
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) active_to: Option<String>,
    /// Last updated on this day or later
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) updated_since: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    pub(crate) between: Between,
    /// Write one file whatever its size, instead of numbered ones below the registry's limit
    #[arg(long)]
    pub(crate) no_split: bool,
    /// Write activities or organisations that lack what 2.03 asks for all the same: the file is not valid then
    #[arg(long)]
    pub(crate) keep_gaps: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Stats {
    /// Files, folders (every .xml and .xml.gz under them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Rows of each table that text shows; JSON has all
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) top: usize,
}
