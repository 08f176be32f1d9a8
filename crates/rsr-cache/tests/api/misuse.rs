//! Misuse of `#[cached]` is an error of the compiler that points at what is wrong: rule 19.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs};

/// Compiles a source in which `§` marks where the first error must point, and compares its code or text.
#[track_caller]
fn check(source: &str, expected: &str) {
    let (before, _rest) = source.split_once('§').expect("a mark in the source");
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let output = compiled(&source.replace('§', ""));
    let mut errors = output.lines().filter(|line| line.contains(": error"));
    let first = errors.next().expect("it does not compile");
    let place = format!("<anon>:{line}:{column}: error");
    assert!(first.starts_with(&place), "{place} expected in:\n{output}");
    assert!(
        first.contains(expected),
        "{expected:?} expected in:\n{output}"
    );
}

/// What rustc says of a source that uses this very build of the crate.
fn compiled(source: &str) -> String {
    use std::io::Write as _;

    let test = env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("it lies in a folder");
    let mut rustc = Command::new("rustc")
        .args(["-", "--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .args(["--error-format=short", "--cap-lints=allow", "-o"])
        .arg(deps.join("misuse-of-cached.rmeta"))
        .arg(format!("--extern=rsr_cache={}", newest(deps).display()))
        .arg(format!("-Ldependency={}", deps.display()))
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("rustc, which has built this test, is on the path");
    let mut stdin = rustc.stdin.take().expect("it is piped");
    stdin.write_all(source.as_bytes()).expect("rustc reads");
    drop(stdin);
    let output = rustc.wait_with_output().expect("rustc ends");
    String::from_utf8(output.stderr).expect("rustc speaks UTF-8")
}

/// The library that was built last, which is the one that this test was linked with.
fn newest(deps: &Path) -> PathBuf {
    let is_it = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("librsr_cache-") && name.ends_with(".rlib"))
    };
    let built = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified());
    fs::read_dir(deps)
        .expect("the test lies in it")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_it)
        .max_by_key(|path| built(path).unwrap_or(SystemTime::UNIX_EPOCH))
        .expect("the library was built before its test")
}

#[test]
fn what_is_right_compiles() {
    let source = "struct Project { id: i64 }
impl Project {
    #[rsr_cache::cached(key = self.id)]
    fn yearly(&self, year: u16) -> u16 { year }
}";
    let output = compiled(source);
    assert!(!output.contains("error"), "{output}");
}

#[test]
fn a_method_without_a_key_is_told_at_its_self() {
    check(
        "struct Project { id: i64 }
impl Project {
    #[rsr_cache::cached(ttl = 60)]
    fn yearly(§&self, year: u16) -> u16 { year }
}",
        "a cached method needs `key`",
    );
}

#[test]
fn an_argument_that_is_no_key_is_told_at_its_type() {
    check(
        "#[rsr_cache::cached]
fn half(name: String, of: §f64) -> f64 { of / 2.0 }",
        "`f64: Key` is not satisfied",
    );
    check(
        "pub struct Plain;
#[rsr_cache::cached]
fn held(of: §Plain) -> u8 { 0 }",
        "`Plain: Key` is not satisfied",
    );
}

#[test]
fn other_misuse_is_told_where_it_stands() {
    let of = |source: &str, expected: &str| check(source, expected);
    of(
        "#[rsr_cache::cached]
fn all<§T>(of: T) -> u8 { 0 }",
        "cannot be generic",
    );
    of(
        "#[rsr_cache::cached]
fn changed(of: §&mut u8) -> u8 { *of }",
        "cannot take `&mut`",
    );
    of(
        "#[rsr_cache::cached(skip(§link))]
fn named(of: u8) -> u8 { of }",
        "there is no argument `link` to skip",
    );
    of(
        "#[rsr_cache::cached(§cache_err)]
fn sure(of: u8) -> u8 { of }",
        "`cache_err` is for functions that return a `Result`",
    );
}
