//! Power cuts: the disk as it is in the middle of uploads, without what the kernel had not written yet.
//!
//! The disk is an image with ext4 that is mounted here, which only root of a real machine can do. While the server is
//! stopped, the image is copied as it lies there; the copy has what a disk would have kept. The file system commits by
//! itself only every five minutes, so what is in the copy was synced, or was written back by chance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::rounds::{Crash, nothing_acknowledged_is_lost};
use crate::support::Site;
use crate::tell;

/// A disk that can lose its power.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Makes a disk, if this machine allows mounting.
    fn make() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let disk = Self { folder };
        fs::create_dir(disk.mounted()).unwrap();
        let image = fs::File::create(disk.image()).unwrap();
        image.set_len(256 << 20).unwrap();
        let is_ready = run("mkfs.ext4", &["-q"], &[&disk.image()]) && disk.mount();
        if !is_ready {
            tell("left out: power cuts (an image with ext4 cannot be mounted here)");
        }
        is_ready.then_some(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) -> bool {
        let places = [&*self.image(), &*self.mounted()];
        run("mount", &["-o", "loop,commit=300"], &places)
    }

    /// Keeps what the disk has at this moment.
    fn copy(&self) -> PathBuf {
        let copy = self.folder.path().join("copy");
        assert!(run("cp", &["--sparse=always"], &[&self.image(), &copy]));
        copy
    }

    /// Goes on with a copy.
    fn come_back(&self, copy: &Path) {
        assert!(run("umount", &[], &[&self.mounted()]));
        fs::rename(copy, self.image()).unwrap();
        assert!(self.mount());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &[&self.mounted()]);
    }
}

fn run(program: &str, options: &[&str], places: &[&Path]) -> bool {
    let mut command = Command::new(program);
    let output = command.args(options).args(places).output();
    output.is_ok_and(|output| output.status.success())
}

async fn power_cuts_lose_nothing(disk: Disk, variable: &'static str, what: &str) {
    let mut site = Site::embedded();
    let place = disk.mounted().join("symbold").display().to_string();
    site.variables.push((variable, place));
    let crash = Crash {
        name: "power cuts",
        what,
        longest: Duration::from_millis(510),
    };
    nothing_acknowledged_is_lost(site, crash, |server| {
        server.signal("STOP");
        let copy = disk.copy();
        server.signal("KILL");
        drop(server);
        disk.come_back(&copy);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_nothing_acknowledged() {
    if let Some(disk) = Disk::make() {
        let what = "everything on the disk";
        power_cuts_lose_nothing(disk, "SYMBOLD_DATA_DIR", what).await;
    }
}

/// The database keeps all that it was told, so a lost object would be missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_the_objects_alone_takes_nothing_acknowledged() {
    if let Some(disk) = Disk::make() {
        let what = "the objects on the disk, the database elsewhere";
        power_cuts_lose_nothing(disk, "SYMBOLD_STORAGE__DIRECTORY", what).await;
    }
}
