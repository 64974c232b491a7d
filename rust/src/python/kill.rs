//! The kill switch: a file, or SIGUSR1, after which nothing is signed. Works without the interpreter and its loop.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signal_hook::consts::SIGUSR1;

/// Pause between looks: the longest that signing goes on after the file was made or the signal came.
const LOOK: Duration = Duration::from_millis(2);

/// Sets `killed` once there is something at `path`, or SIGUSR1 has come: then the file is made too, so that a kill
/// by signal holds over a restart. Ends with the last holder of `killed`.
pub fn watch(path: PathBuf, killed: &Arc<AtomicBool>) -> io::Result<()> {
    let signaled = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(SIGUSR1, Arc::clone(&signaled))?;
    let killed = Arc::downgrade(killed);
    thread::Builder::new().name("hip3-kill".to_owned()).spawn(move || {
        look_until_killed(&path, &signaled, &killed);
        signal_hook::low_level::unregister(handler);
    })?;
    Ok(())
}

fn look_until_killed(path: &Path, signaled: &AtomicBool, killed: &Weak<AtomicBool>) {
    while let Some(killed) = killed.upgrade() {
        let by_signal = signaled.load(Ordering::Acquire);
        if by_signal || path.symlink_metadata().is_ok() {
            killed.store(true, Ordering::Release);
            if by_signal {
                // A latch that cannot be made is made by nobody; this process signs nothing all the same.
                drop(make_latch(path));
            }
            return;
        }
        drop(killed);
        thread::sleep(LOOK);
    }
}

/// Makes the file, with its content and its name on the disk; one that is there stays.
fn make_latch(path: &Path) -> io::Result<()> {
    let time_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(
        file,
        r#"{{"kind":"kill","user":"","reason":"SIGUSR1","time_ms":{time_ms}}}"#
    )?;
    file.sync_all()?;
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
