//! Finds the commit that the program is built from, for `strongroom -V`, the log and the metrics
//! (`src/telemetry/version.rs`).
//!
//! The variable `STRONGROOM_COMMIT` names it where there is no repository, as in a tarball; else git is asked. Without both
//! the program has only its version. Cargo compiles the crate again whenever this script runs, so it runs only when its
//! answer may differ: HEAD has moved, or a file of the program has changed, which has to be compiled anyway.

use std::path::Path;
use std::process::Command;

/// The files that make the program; if they differ from the commit, `-dirty` is added to its hash.
const SOURCES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "build.rs", "src", "migrations"];

fn main() {
    println!("cargo:rerun-if-env-changed=STRONGROOM_COMMIT");
    for path in SOURCES {
        println!("cargo:rerun-if-changed={path}");
    }
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let given = std::env::var("STRONGROOM_COMMIT").ok().map(|commit| commit.trim().to_owned());
    let (commit, details) = match given.filter(|commit| !commit.is_empty()) {
        Some(commit) => (commit.clone(), format!(" ({commit})")),
        None => match Repository::of(Path::new(&root)).and_then(|repository| repository.head()) {
            Some((commit, date)) => (commit.clone(), format!(" ({commit}, {date})")),
            None => ("unknown".to_owned(), String::new()),
        },
    };
    // A line break would be another instruction to cargo.
    assert!(
        !commit.contains(char::is_whitespace),
        "STRONGROOM_COMMIT: the name of a commit has no blanks in it"
    );
    println!("cargo:rustc-env=STRONGROOM_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=STRONGROOM_BUILD_VERSION={version}{details}");
}

struct Repository<'a> {
    root: &'a Path,
}

impl<'a> Repository<'a> {
    /// Returns the repository whose top directory is `root`. A copy of the sources inside another repository is not a part of it.
    fn of(root: &'a Path) -> Option<Self> {
        let repository = Repository { root };
        let top = repository.git(&["rev-parse", "--show-toplevel"])?;
        let same = Path::new(&top).canonicalize().ok()? == root.canonicalize().ok()?;
        same.then_some(repository)
    }

    /// Returns the hash of HEAD, with `-dirty` if the sources differ from it, and the day of the commit (UTC).
    fn head(&self) -> Option<(String, String)> {
        self.watch_head();
        let mut commit = self.git(&["rev-parse", "--short=10", "HEAD"])?;
        let date =
            self.git(&["show", "--no-patch", "--format=%cd", "--date=format-local:%Y-%m-%d", "HEAD"])?;
        let status = self.git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
        if !status.is_empty() {
            commit += "-dirty";
        }
        Some((commit, date))
    }

    /// Lets cargo run this script again when HEAD names another commit. Cargo takes a file that does not exist for one
    /// that has changed, so only existing ones are named: the branch's own file, or, while it is packed, the file of the packed
    /// references and the log that each commit is written to.
    fn watch_head(&self) {
        let path = |name: &str| {
            let path = self.root.join(self.git(&["rev-parse", "--git-path", name])?);
            path.is_file().then_some(path)
        };
        let branch = self.git(&["rev-parse", "--symbolic-full-name", "HEAD"]).and_then(|name| path(&name));
        let others = || ["packed-refs", "logs/HEAD", "reftable/tables.list"].into_iter().filter_map(path);
        let changing = branch.map_or_else(|| others().collect(), |branch| vec![branch]);
        for file in path("HEAD").into_iter().chain(changing) {
            println!("cargo:rerun-if-changed={}", file.display());
        }
    }

    /// Returns what git prints. It changes nothing: without `GIT_OPTIONAL_LOCKS` it would lock the index for a moment.
    fn git(&self, arguments: &[&str]) -> Option<String> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.root).args(arguments).env("GIT_OPTIONAL_LOCKS", "0").env("TZ", "UTC");
        // In a hook of git these name the repository of the hook.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            git.env_remove(variable);
        }
        let output = git.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    }
}
