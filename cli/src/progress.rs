//! Progress on stderr for anything that takes over a second.

use std::{borrow::Cow, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

const TICK: Duration = Duration::from_millis(120);

/// A line that says what is going on. Vanishes when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    output: Output,
    last: String,
    /// Says nothing where no line can move.
    is_silent: bool,
}

impl Progress {
    /// Starts with this text. Without a terminal every new text is a line of its own.
    pub fn start(output: Output, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let bar = if output.is_live() {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(TICK);
            bar
        } else {
            output.note(&text);
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        };
        bar.set_message(text.clone());
        Self { bar, output, last: text.into_owned(), is_silent: false }
    }

    /// Says something new.
    pub fn set(&mut self, text: impl Into<String>) {
        let text = text.into();
        if text == self.last {
            return;
        }
        if !self.output.is_live() && !self.is_silent {
            self.output.note(&text);
        }
        self.bar.set_message(text.clone());
        self.last = text;
    }

    /// Prints a line that stays above the moving one.
    pub fn line(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.bar.suspend(|| self.output.note(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress {
    /// As [`Self::start`], without a line where there is no terminal: for what is over in a moment, usually.
    pub fn quiet_start(output: Output, text: impl Into<Cow<'static, str>>) -> Self {
        if output.is_live() {
            return Self::start(output, text);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self { bar, output, last: String::new(), is_silent: true }
    }
}
