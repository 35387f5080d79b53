//! A key-value store on files: SIZE hundred records are appended to a log, read back, compacted and listed. With the
//! second argument `panic` it panics at the end.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    time::{Duration, Instant, SystemTime},
};

use corpus_checksum::{Checksum, size_argument};

const DIRECTORY: &str = "output/store";

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1) % bound
    }
}

/// Where the newest value of each key stands.
#[derive(Default)]
struct Index(HashMap<String, (u64, usize)>);

impl Index {
    fn load(path: &str) -> io::Result<Self> {
        let mut index = Self::default();
        let mut at = 0;
        let mut lines = BufReader::new(File::open(path)?);
        let mut line = String::new();
        while lines.read_line(&mut line)? != 0 {
            let key = line.split('\t').next().unwrap_or_default().to_owned();
            index.0.insert(key, (at, line.len()));
            at += line.len() as u64;
            line.clear();
        }
        Ok(index)
    }
}

fn append(path: &str, records: u64, random: &mut Random) -> io::Result<()> {
    let mut log = BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?);
    for number in 0..records {
        let key = random.below(records / 4 + 1);
        writeln!(log, "key{key:05}\t{number}\t{}", "x".repeat(random.below(60) as usize))?;
    }
    log.flush()
}

/// Writes the newest values, in order, into one file for every hundred keys; how many there are.
fn compact(path: &str, index: &Index) -> io::Result<usize> {
    let mut log = File::open(path)?;
    let ordered: BTreeMap<_, _> = index.0.iter().collect();
    let mut parts: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (key, (at, length)) in ordered {
        log.seek(SeekFrom::Start(*at))?;
        let mut line = vec![0; *length];
        log.read_exact(&mut line)?;
        parts.entry(&key[..6]).or_default().extend(line);
    }
    for (part, bytes) in &parts {
        fs::write(format!("{DIRECTORY}/{part}.new"), bytes)?;
        fs::rename(format!("{DIRECTORY}/{part}.new"), format!("{DIRECTORY}/{part}.part"))?;
    }
    fs::remove_file(path)?;
    Ok(parts.len())
}

fn main() -> io::Result<()> {
    let records = 100 * size_argument() as u64;
    let began = (Instant::now(), SystemTime::now());
    fs::create_dir_all(DIRECTORY)?;
    let log = format!("{DIRECTORY}/log.tsv");
    let mut random = Random(88_172_645_463_325_252);
    for _ in 0..3 {
        append(&log, records, &mut random)?;
    }
    let index = Index::load(&log)?;
    // The seed decides this order, so it goes into a file and not into the checksum.
    fs::write("output/order.txt", index.0.keys().map(String::as_str).collect::<Vec<_>>().join("\n"))?;
    println!("{} keys in {} parts", index.0.len(), compact(&log, &index)?);

    let mut checksum = Checksum::new();
    let mut names: Vec<_> = fs::read_dir(DIRECTORY)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let path = format!("{DIRECTORY}/{}", name.to_string_lossy());
        checksum.mix_number(fs::metadata(&path)?.len());
        checksum.mix(&fs::read(&path)?);
    }
    std::thread::sleep(Duration::from_millis(1));
    assert!(began.0.elapsed() >= Duration::from_millis(1) && began.1.elapsed().is_ok_and(|passed| !passed.is_zero()));
    assert!(fs::read("output/nothing").is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    checksum.print("store");
    if std::env::args().nth(2).is_some_and(|argument| argument == "panic") {
        std::panic::set_hook(Box::new(|info| eprintln!("hook: {info}")));
        let keys: Option<&String> = None;
        println!("{}", keys.expect("as asked"));
    }
    Ok(())
}
