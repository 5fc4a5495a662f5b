//! Every colour, in one table.

use anstyle::{AnsiColor, Effects, Style};

use crate::report::text::Role;

/// How a role looks on a terminal. The sixteen colours of the terminal's own palette only, so that
/// light and dark backgrounds both work; nothing is said by colour alone.
pub fn style(role: Role) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let bold = Style::new().bold();
    match role {
        Role::Plain => Style::new(),
        Role::Strong | Role::Heading => bold,
        Role::Dim | Role::Info => Style::new().effects(Effects::DIMMED),
        Role::Critical => colour(AnsiColor::Red).bold(),
        Role::High | Role::Poor | Role::Removed => colour(AnsiColor::Red),
        Role::Medium | Role::NeedsWork | Role::Unsafe => colour(AnsiColor::Yellow),
        Role::Low | Role::Command => colour(AnsiColor::Cyan),
        Role::Good | Role::Safe | Role::Added => colour(AnsiColor::Green),
        Role::Manual => colour(AnsiColor::Magenta),
        Role::AddedEmphasis => colour(AnsiColor::Green).bold().underline(),
        Role::RemovedEmphasis => colour(AnsiColor::Red).bold().underline(),
    }
}
