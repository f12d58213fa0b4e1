//! `build.rs` in small repositories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{common, compile, run};

/// A folder with the compiled `build.rs` and a directory `sources`, which has what the script watches.
struct Sources {
    folder: TempDir,
}

impl Sources {
    fn new() -> Self {
        let folder = TempDir::with_prefix("strongroom-build-").expect("make a folder");
        compile(&common::repository().join("build.rs"), &folder.path().join("script"), &[]);
        let sources = Self { folder };
        std::fs::create_dir_all(sources.root()).expect("make a folder");
        sources.write("Cargo.toml");
        sources.write("Cargo.lock");
        sources.write("build.rs");
        sources.write("src/lib.rs");
        sources.write("migrations/up.sql");
        sources.write("docs/page.md");
        sources
    }

    fn committed() -> Self {
        let sources = Self::new();
        sources.git(&["init", "-q", "-b", "trunk"]);
        sources.commit();
        sources
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("sources")
    }

    /// Writes a file with a content that no file had before.
    fn write(&self, path: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        let content = std::fs::read_to_string(&path).unwrap_or_default() + "more\n";
        std::fs::write(path, content).expect("write a file");
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.root(), arguments)
    }

    fn commit(&self) {
        commit(&self.root());
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "--short=10", "HEAD"])
    }

    fn script(&self, root: &Path) -> Command {
        let mut script = Command::new(self.folder.path().join("script"));
        script.current_dir(root).env("CARGO_MANIFEST_DIR", root).env("CARGO_PKG_VERSION", "1.2.3");
        script.env_remove("STRONGROOM_COMMIT");
        script
    }

    fn build(&self) -> Build {
        Build::parse(&self.root(), &run(&mut self.script(&self.root())))
    }
}

#[track_caller]
fn git(root: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["-c", "user.name=A", "-c", "user.email=a@example.net"]).args(arguments);
    // 23:30 on the second of May in UTC.
    git.env("GIT_COMMITTER_DATE", "2026-05-03T01:30:00+02:00").env("GIT_CONFIG_GLOBAL", "/dev/null");
    run(&mut git).trim().to_owned()
}

#[track_caller]
fn commit(root: &Path) {
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "--allow-empty", "-m", "A change"]);
}

/// What the script tells cargo.
struct Build {
    commit: String,
    version: String,
    watched: Vec<PathBuf>,
}

impl Build {
    #[track_caller]
    fn parse(root: &Path, output: &str) -> Self {
        let all =
            |start: &str| output.lines().filter_map(|line| line.strip_prefix(start)).collect::<Vec<_>>();
        let one = |name: &str| all(&format!("cargo:rustc-env={name}="))[..].concat();
        let watched: Vec<_> =
            all("cargo:rerun-if-changed=").into_iter().map(|path| root.join(path)).collect();
        for path in &watched {
            // Cargo would run the script, and compile the crate, each time.
            assert!(path.exists(), "{} does not exist", path.display());
        }
        Self { commit: one("STRONGROOM_BUILD_COMMIT"), version: one("STRONGROOM_BUILD_VERSION"), watched }
    }

    #[track_caller]
    fn is(&self, commit: &str) {
        assert_eq!(self.commit, commit);
        assert_eq!(self.version, format!("1.2.3 ({commit}, 2026-05-02)"));
    }

    #[track_caller]
    fn is_unknown(&self) {
        assert_eq!((self.commit.as_str(), self.version.as_str()), ("unknown", "1.2.3"));
    }

    /// The contents of all watched files that are not sources.
    fn state(&self, root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let ours =
            self.watched.iter().filter(|path| !path.starts_with(root) || path.starts_with(root.join(".git")));
        ours.map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect()
    }
}

#[test]
fn commit_of_head_and_its_day_are_in_the_version() {
    let sources = Sources::committed();
    sources.build().is(&sources.head());
}

#[test]
fn changed_or_new_sources_are_marked_and_other_files_are_not() {
    let sources = Sources::committed();
    sources.write("docs/page.md");
    sources.write("notes.txt");
    sources.build().is(&sources.head());
    for path in ["src/lib.rs", "src/new.rs", "migrations/up.sql", "Cargo.lock"] {
        sources.write(path);
        sources.build().is(&format!("{}-dirty", sources.head()));
        sources.commit();
        sources.build().is(&sources.head());
    }
}

#[test]
fn sources_without_a_repository_have_no_commit() {
    let sources = Sources::new();
    sources.build().is_unknown();
    // A repository that belongs to something else.
    git(sources.folder.path(), &["init", "-q"]);
    commit(sources.folder.path());
    sources.build().is_unknown();
    // Before the first commit.
    sources.git(&["init", "-q"]);
    sources.build().is_unknown();
}

#[test]
fn machines_without_git_have_no_commit() {
    let sources = Sources::committed();
    let output = run(sources.script(&sources.root()).env("PATH", "/nonexistent"));
    Build::parse(&sources.root(), &output).is_unknown();
}

#[test]
fn variable_names_the_commit() {
    let sources = Sources::committed();
    let build = |commit| {
        let output = run(sources.script(&sources.root()).env("STRONGROOM_COMMIT", commit));
        Build::parse(&sources.root(), &output)
    };
    assert_eq!(build("abc1234def").commit, "abc1234def");
    assert_eq!(build("abc1234def").version, "1.2.3 (abc1234def)");
    build("").is(&sources.head());
    let two_lines =
        crate::output(sources.script(&sources.root()).env("STRONGROOM_COMMIT", "abc\ncargo:warning=x"));
    assert!(!two_lines.status.success(), "{two_lines:?}");
}

#[test]
fn a_hook_of_another_repository_changes_nothing() {
    let (sources, other) = (Sources::committed(), Sources::new());
    other.git(&["init", "-q"]);
    other.git(&["commit", "-q", "--allow-empty", "-m", "Another commit"]);
    let mut script = sources.script(&sources.root());
    script.env("GIT_DIR", other.root().join(".git")).env("GIT_WORK_TREE", other.root());
    Build::parse(&sources.root(), &run(&mut script)).is(&sources.head());
}

#[test]
fn a_work_tree_has_the_commit_of_its_own_head() {
    let sources = Sources::committed();
    let tree = sources.folder.path().join("tree");
    sources.git(&["worktree", "add", "-q", "-b", "other", tree.to_str().expect("text")]);
    git(&tree, &["commit", "-q", "--allow-empty", "-m", "Another commit"]);
    let build = || Build::parse(&tree, &run(&mut sources.script(&tree)));
    let head = git(&tree, &["rev-parse", "--short=10", "HEAD"]);
    assert_ne!(head, sources.head());
    build().is(&head);
    let before = build().state(&tree);
    git(&tree, &["commit", "-q", "--allow-empty", "-m", "A third commit"]);
    assert_ne!(build().state(&tree), before);
}

/// A commit changes a file that cargo watches, in whatever form git keeps the branch.
#[test]
fn a_new_commit_runs_the_script_again() {
    let sources = Sources::committed();
    let commit_is_seen = |what: &str| {
        let build = sources.build();
        let before = build.state(&sources.root());
        sources.git(&["commit", "-q", "--allow-empty", "-m", what]);
        assert_ne!(build.state(&sources.root()), before, "{what}: {:?}", build.watched);
    };
    commit_is_seen("a file for the branch");
    sources.git(&["pack-refs", "--all"]);
    commit_is_seen("packed references");
    sources.git(&["checkout", "-q", "--detach"]);
    commit_is_seen("no branch");
    let before = sources.build().state(&sources.root());
    sources.git(&["checkout", "-q", "trunk"]);
    assert_ne!(sources.build().state(&sources.root()), before);
}
