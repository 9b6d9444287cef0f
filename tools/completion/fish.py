"""The completion of fish."""

from tools.completion.program import (
    FILES,
    JOB_NAME,
    JOBS,
    MADE,
    Flag,
    Program,
    filled,
    patterns_of,
    quoted_patterns_of,
)

_FISH = r"""
# The words of the command line that are whole: the configuration, then the command
# ("-" where jobs are to be run, nothing before the first word that is no option).
function __b1000_words
    set -l file @FILE@
    set -l command
    set -l expected
    set -l ended
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test -n "$expected"
            test "$expected" = cfg; and set file $word
            set expected
        else if test -n "$ended"; or not string match -qr -- '^-.' $word
            test -n "$command"; and continue
            set command -
            test -z "$ended"; and contains -- $word @WORDS@; and set command $word
        else if test "$word" = --
            set ended yes
        else if string match -q -- '--cfg=*' $word
            set file (string replace -- --cfg= '' $word)
        else if test "$word" = --cfg; or string match -qr -- '^-[^f-]*f$' $word
            set expected cfg
        else if string match -qr -- '^-[^f-]*f.+$' $word
            set file (string replace -r -- '^-[^f-]*f' '' $word)
        else
            switch "$command:$word"
@VALUES@
            end
        end
    end
    string replace -r -- '^~/' "$HOME/" $file
    echo $command
end

function __b1000_at
    set -l found (__b1000_words)
    contains -- "$found[2]" $argv
end

# Jobs of the configuration; nothing where it cannot be read.
function __b1000_jobs
    set -l found (__b1000_words)
    test -f "$found[1]" -a -r "$found[1]"; or return 0
    for job in (command sed -n '@FISH_SED@' <$found[1] 2>/dev/null)
        # The first word is a command where it can be one.
        test -z "$found[2]"; and contains -- $job @WORDS@; and set job job:$job
        echo $job
    end
end

complete -c b1000 -f
@COMPLETE@
"""


def fish(found: Program) -> str:
    """The completion of fish."""
    values, lines = [], []
    for command in found.commands:
        at = f"-n '__b1000_at {' '.join(quoted_patterns_of(command))}'"
        for flag in command.flags:
            lines.append(f"complete -c b1000 {at} {_fish_option(flag)}")
            if flag.value:
                cases = " ".join(
                    f"'{pattern}:{name}'" for pattern in patterns_of(command) for name in flag.names
                )
                values += [
                    f"                case {cases}",
                    f"                    set expected {flag.value}",
                ]
        if command.jobs:
            lines.append(f"complete -c b1000 {at} -a '(__b1000_jobs)' -d job")
    for command in found.named:
        words = f"-a {command.name} -d {_fish_quoted(command.words)}"
        lines.append(f"complete -c b1000 -n '__b1000_at \"\"' {words}")
    more = {
        "VALUES": "\n".join(values),
        "COMPLETE": "\n".join(lines),
        "WORDS": " ".join(command.name for command in found.named),
        "FISH_SED": JOB_NAME.replace("\\", "\\\\"),
    }
    return f"# Completion of b1000 for fish.\n{MADE}\n" + filled(_FISH, found, **more)


def _fish_option(flag: Flag) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names]
    if flag.choices:
        words.append(f"-x -a {_fish_quoted(' '.join(flag.choices))}")
    elif flag.value:
        words.append({FILES: "-r -F", JOBS: "-x -a '(__b1000_jobs)'"}.get(flag.value, "-x"))
    return " ".join([*words, "-d", _fish_quoted(flag.words)])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
