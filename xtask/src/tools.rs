//! The programs that tests use, and how they get onto the machine.

/// A program that some test runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tool {
    /// The program's name on the `PATH`.
    pub program: &'static str,
    /// Where it is where it is not on the `PATH`: a folder whose own folders, one for each version, have it in `bin`.
    pub versions: Option<&'static str>,
    /// Debian's package that has it.
    pub package: &'static str,
    /// What is checked with it.
    pub purpose: &'static str,
}

/// All of them.
pub const TOOLS: [Tool; 6] = [
    Tool {
        program: "xmllint",
        versions: None,
        package: "libxml2-utils",
        purpose: "an independent schema validator for what rsr writes and judges",
    },
    Tool {
        program: "initdb",
        versions: Some("/usr/lib/postgresql"),
        package: "postgresql",
        purpose: "a database server of the tests' own",
    },
    Tool {
        program: "prometheus",
        versions: None,
        package: "prometheus",
        purpose: "the server that asks what dashboards and rules ask, and promtool",
    },
    Tool {
        program: "amtool",
        versions: None,
        package: "prometheus-alertmanager",
        purpose: "the judge of the routes that alerts take",
    },
    Tool {
        program: "chromium",
        versions: None,
        package: "chromium",
        purpose: "a real browser for the dashboard",
    },
    Tool {
        program: "chromedriver",
        versions: None,
        package: "chromium-driver",
        purpose: "the hand that moves the browser",
    },
];

/// What to do about missing tools on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is missing.
    Ready,
    /// They can be installed here, with these packages.
    Install(Vec<&'static str>),
    /// A person has to: one line that says what and how.
    Ask(String),
}

/// Decides what to do, from what is there.
#[must_use]
pub fn plan(is_there: impl Fn(&Tool) -> bool, is_root: bool, has_apt: bool) -> Plan {
    let missing: Vec<_> = TOOLS.iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        return Plan::Ready;
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if is_root && has_apt {
        return Plan::Install(packages);
    }
    let names: Vec<_> = missing
        .iter()
        .map(|tool| format!("{} ({})", tool.program, tool.purpose))
        .collect();
    let how = if has_apt {
        format!("sudo apt-get install {}", packages.join(" "))
    } else {
        format!("install what Debian packages as {}", packages.join(", "))
    };
    Plan::Ask(format!("missing: {}; {how}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_where_all_is_there() {
        assert_eq!(plan(|_| true, true, true), Plan::Ready);
    }

    #[test]
    fn root_on_debian_installs() {
        assert_eq!(
            plan(|_| false, true, true),
            Plan::Install(TOOLS.map(|tool| tool.package).to_vec())
        );
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        assert_eq!(
            plan(|tool| tool.program != "initdb", true, true),
            Plan::Install(vec!["postgresql"])
        );
    }

    #[test]
    fn others_are_told_in_a_line() {
        let Plan::Ask(line) = plan(|_| false, false, true) else {
            panic!("no plan for a person")
        };
        assert!(
            line.contains("xmllint")
                && line.contains("initdb")
                && line.contains("sudo apt-get install libxml2-utils postgresql"),
            "{line}"
        );
    }
}
