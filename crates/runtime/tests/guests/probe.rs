//! A Rust program that uses what std has: files, directories, time, randomness, threads' sleep, panics.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    println!("args {args:?}");
    let mut env: Vec<_> = std::env::vars().collect();
    env.sort();
    println!("env {env:?}");
    let mut stdin = String::new();
    io::stdin().read_to_string(&mut stdin)?;
    println!("stdin {stdin:?}");

    let map: HashMap<u32, u32> = (0..8).map(|n| (n, n * n)).collect();
    println!("map {map:?}");

    let began = Instant::now();
    let wall = SystemTime::now();
    std::thread::sleep(Duration::from_secs(3600));
    println!("slept an hour {}", began.elapsed() >= Duration::from_secs(3600));
    println!("wall {}", wall.duration_since(UNIX_EPOCH).unwrap().as_secs());

    println!("data {:?}", fs::read_to_string("/data/hello.txt")?);
    println!("relative {:?}", fs::read_to_string("data/../data/hello.txt")?);
    let mut names: Vec<_> = Vec::new();
    for entry in fs::read_dir("/data")? {
        let entry = entry?;
        let meta = entry.metadata()?;
        names.push(format!("{}:{}:{}", entry.file_name().to_string_lossy(), meta.is_dir(), meta.len()));
    }
    println!("list {names:?}");
    println!("escape {:?}", fs::read("/../etc/passwd").map_err(|e| e.kind()));
    println!("missing {:?}", fs::read("/nothing").map_err(|e| e.kind()));
    println!("read-only {:?}", fs::write("/data/hello.txt", "x").map_err(|e| e.kind()));

    fs::create_dir_all("/output/a/b")?;
    fs::write("/output/a/b/one.txt", "one")?;
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open("/output/two.bin")?;
    file.write_all(b"0123456789")?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(b"xx")?;
    file.set_len(12)?;
    file.seek(SeekFrom::End(-3))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    println!("tail {tail:?}");
    let mut log = OpenOptions::new().append(true).create(true).open("/output/log.txt")?;
    writeln!(log, "first")?;
    writeln!(log, "second")?;
    fs::rename("/output/a/b/one.txt", "/output/three.txt")?;
    fs::remove_dir_all("/output/a")?;
    fs::write("/tmp/scratch", vec![7; 100_000])?;
    println!("scratch {}", fs::metadata("/tmp/scratch")?.len());
    for n in 0..300 {
        File::create(format!("/tmp/f{n}"))?;
    }
    fs::remove_dir_all("/tmp").map_err(|e| e.kind()).ok();
    println!("left in tmp {}", fs::read_dir("/tmp")?.count());
    if args.get(1).is_some_and(|arg| arg == "panic") {
        panic!("as asked");
    }
    std::process::exit(3);
}
