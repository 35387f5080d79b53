//! Draws a piece of the Mandelbrot set and writes it as a PNG.
//!
//! `mandelbrot WIDTH HEIGHT CENTRE_RE CENTRE_IM SPAN ITERATIONS OUTPUT.png`, `SPAN` being the width of the piece. All of
//! it is 64-bit floating point, colours included: the same picture, byte for byte, from every conforming machine.

mod png;

use std::{env, fs, path::Path, process::ExitCode, str::FromStr};

/// Points that leave this radius never come back; large, so that the smooth colouring has no bands.
const ESCAPE_RADIUS_SQUARED: f64 = 256.0;
/// Palette entries per factor e of steps.
const COLOUR_RATE: f64 = 88.0;
const SIDE_MAX: usize = 4_096;

/// Which piece to draw, and how finely.
struct View {
    width: usize,
    height: usize,
    centre_re: f64,
    centre_im: f64,
    span: f64,
    iterations: u32,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match draw(&arguments) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mandelbrot: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(arguments: &[String]) -> Result<String, String> {
    let [width, height, centre_re, centre_im, span, iterations, path] = arguments else {
        return Err("usage: mandelbrot WIDTH HEIGHT CENTRE_RE CENTRE_IM SPAN ITERATIONS OUTPUT.png".to_owned());
    };
    let view = View {
        width: number("WIDTH", width)?,
        height: number("HEIGHT", height)?,
        centre_re: number("CENTRE_RE", centre_re)?,
        centre_im: number("CENTRE_IM", centre_im)?,
        span: number("SPAN", span)?,
        iterations: number("ITERATIONS", iterations)?,
    };
    if !(1..=SIDE_MAX).contains(&view.width) || !(1..=SIDE_MAX).contains(&view.height) {
        return Err(format!("WIDTH and HEIGHT must be 1 to {SIDE_MAX}"));
    }
    let (pixels, inside) = render(&view);
    if let Some(directory) = Path::new(path).parent() {
        fs::create_dir_all(directory).map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
    }
    let image = png::encode(&pixels, view.width, &palette());
    fs::write(path, &image).map_err(|error| format!("cannot write {path}: {error}"))?;
    Ok(format!("{} x {} pixels, {inside} inside the set, {} bytes of PNG", view.width, view.height, image.len()))
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text:?} is no number"))
}

/// One palette index per pixel, row by row, and how many points never escaped.
fn render(view: &View) -> (Vec<u8>, usize) {
    let mut pixels = Vec::with_capacity(view.width * view.height);
    let mut inside = 0;
    let step = view.span / view.width as f64;
    for row in 0..view.height {
        let im = view.centre_im - (row as f64 - view.height as f64 / 2.0) * step;
        for column in 0..view.width {
            let re = view.centre_re + (column as f64 - view.width as f64 / 2.0) * step;
            match escape(re, im, view.iterations) {
                Some(steps) => pixels.push(1 + ((steps + 1.0).ln() * COLOUR_RATE % 255.0) as u8),
                None => {
                    inside += 1;
                    pixels.push(0);
                }
            }
        }
    }
    (pixels, inside)
}

/// A smooth count of the steps that a point takes to escape.
fn escape(re: f64, im: f64, iterations: u32) -> Option<f64> {
    // The main cardioid and the largest disc never escape; most of the set's area needs no iteration.
    let q = (re - 0.25) * (re - 0.25) + im * im;
    if q * (q + (re - 0.25)) <= 0.25 * im * im || (re + 1.0) * (re + 1.0) + im * im <= 0.0625 {
        return None;
    }
    let (mut x, mut y) = (0.0_f64, 0.0_f64);
    for step in 0..iterations {
        let (x2, y2) = (x * x, y * y);
        if x2 + y2 > ESCAPE_RADIUS_SQUARED {
            let smooth = f64::from(step) + 1.0 - ((x2 + y2).ln() / 2.0).log2();
            return Some(smooth.max(0.0));
        }
        y = 2.0 * x * y + im;
        x = x2 - y2 + re;
    }
    None
}

/// Black for the set, then a closed walk through deep blue, white, amber and brown.
fn palette() -> [[u8; 3]; 256] {
    const STOPS: [[f64; 3]; 6] = [
        [0.0, 7.0, 100.0],
        [32.0, 107.0, 203.0],
        [237.0, 255.0, 255.0],
        [255.0, 170.0, 0.0],
        [90.0, 30.0, 0.0],
        [0.0, 7.0, 100.0],
    ];
    let mut colours = [[0; 3]; 256];
    for (index, colour) in colours.iter_mut().enumerate().skip(1) {
        let position = (index - 1) as f64 / 255.0 * (STOPS.len() - 1) as f64;
        let stop = (position as usize).min(STOPS.len() - 2);
        let share = position - stop as f64;
        for (channel, value) in colour.iter_mut().enumerate() {
            *value = (STOPS[stop][channel] * (1.0 - share) + STOPS[stop + 1][channel] * share).round() as u8;
        }
    }
    colours
}
