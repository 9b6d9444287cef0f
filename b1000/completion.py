"""Shell completions, made from the parsers of the command line.

The jobs are read by the shell itself, from the configuration that ``-f`` names:
a key that is pressed starts no Python. Only names that are right are offered,
so that nothing of a file means anything to the shell.
"""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_MADE = "# Made from b1000/parsers.py; a change by hand is lost. Anew: python -m b1000.manual etc"
_JOB = r"s/^\[job:\([A-Za-z0-9][A-Za-z0-9._-]*\)\][[:space:]]*$/\1/p"
_JOBS = "jobs"
_FILES = "files"
_ANYTHING = "anything"


class Flag(NamedTuple):
    """An option: ``value`` is what it takes, "" for nothing."""

    names: tuple[str, ...]
    words: str
    value: str
    choices: tuple[str, ...] = ()


class Command(NamedTuple):
    """A command; ``jobs`` tells whether jobs may follow it."""

    name: str
    words: str
    flags: tuple[Flag, ...]
    jobs: bool


class Program(NamedTuple):
    """All that a completion has to know: the commands and the default configuration."""

    commands: tuple[Command, ...]
    file: str

    @property
    def named(self) -> tuple[Command, ...]:
        """The commands that are words."""
        return tuple(command for command in self.commands if command.name)


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and arguments that ``--help`` shows."""
    # argparse has no public way to ask for them.
    return (action for action in parser._actions if action.help != argparse.SUPPRESS)


def help_text(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """What ``--help`` says of it, on one line."""
    known = {**vars(action), "prog": parser.prog}
    return " ".join(((action.help or "") % known).split())


def value_name(action: argparse.Action) -> str:
    """What stands for its value in ``--help``."""
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def program(parsers: Mapping[str, argparse.ArgumentParser]) -> Program:
    """What the parsers say; that of the program itself has no name."""
    commands = (
        Command(
            name,
            (parser.description or "").partition(".")[0],
            tuple(_flag(parser, each) for each in actions(parser) if each.option_strings),
            any(_takes(each) == _JOBS for each in actions(parser) if not each.option_strings),
        )
        for name, parser in parsers.items()
    )
    return Program(tuple(commands), str(parsers[""].get_default("cfg")))


def _flag(parser: argparse.ArgumentParser, action: argparse.Action) -> Flag:
    words = help_text(parser, action)
    choices = tuple(map(str, action.choices or ()))
    value = "" if action.nargs == 0 else _takes(action)
    return Flag(tuple(action.option_strings), words, value, choices)


def _takes(action: argparse.Action) -> str:
    name = value_name(action).lower()
    if name.startswith("job"):
        return _JOBS
    return _FILES if name in ("file", "path", "directory") else _ANYTHING


# --- bash

_BASH = r"""
# Jobs of the configuration; nothing where it cannot be read.
_b1000_jobs() {
    local file=$1 command=$2 job
    [[ -f $file && -r $file ]] || return 0
    while IFS= read -r job; do
        # The first word is a command where it can be one.
        [[ ! $command && @COMMANDS@ == *" $job "* ]] && job=job:$job
        printf '%s\n' "$job"
    done < <(command sed -n '@SED@' <"$file" 2>/dev/null)
}

# What the option $2 of the command $1 takes: files, jobs, anything, or "words ...".
_b1000_value() {
    case $1:$2 in
@VALUES@
    esac
}

_b1000_options() {
    case $1 in
@OPTIONS@
    esac
}

_b1000() {
    local file=@FILE@ command= ended= expected= word glued= index
    local -a words=() found=()
    COMPREPLY=()
    # Bash may have split at = and at : what is one word to b1000.
    for ((index = 1; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]-}
        if [[ ${#words[@]} -gt 0 && ( $glued || $word == [=:]* ) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        glued=
        [[ $word == [=:] ]] && glued=yes
    done
    local current=${words[${#words[@]} - 1]-}

    for ((index = 0; index < ${#words[@]} - 1; index++)); do
        word=${words[index]}
        word=${word#[\"\']}
        word=${word%[\"\']}
        word=${word//\\/}
        if [[ $expected ]]; then
            [[ $expected == cfg ]] && file=$word
            expected=
        elif [[ $ended || $word != -?* ]]; then
            [[ $command ]] && continue
            command=-
            [[ ! $ended && @COMMANDS@ == *" $word "* ]] && command=$word
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --cfg=* ]]; then
            file=${word#--cfg=}
        elif [[ $word == --cfg || $word =~ ^-[^f-]*f$ ]]; then
            expected=cfg
        elif [[ $word =~ ^-[^f-]*f(.+)$ ]]; then
            file=${BASH_REMATCH[1]}
        else
            expected=$(_b1000_value "$command" "$word")
        fi
    done
    [[ $file == "~/"* ]] && file=$HOME/${file#"~/"}

    local prefix=
    if [[ ! $expected && ! $ended && $current == --?*=* ]]; then
        prefix=${current%%=*}
        expected=$(_b1000_value "$command" "$prefix")
        prefix+='='
    fi
    case $expected in
        cfg | files)
            compopt -o default 2>/dev/null
            return 0
            ;;
        jobs) mapfile -t found < <(_b1000_jobs "$file" -) ;;
        'words '*) read -ra found <<<"${expected#words }" ;;
        ?*) return 0 ;;
        *)
            if [[ $current == -* && ! $ended ]]; then
                read -ra found <<<"$(_b1000_options "$command")"
            elif [[ ! $command ]]; then
                [[ $ended ]] || read -ra found <<<@COMMANDS@
                mapfile -t -O "${#found[@]}" found < <(_b1000_jobs "$file" "$ended")
            elif [[ @TAKERS@ == *" $command "* ]]; then
                mapfile -t found < <(_b1000_jobs "$file" "$command")
            fi
            ;;
    esac

    # What stands before the last : or = is no part of what bash replaces.
    local kept=
    if [[ $current == *[:=]* ]]; then
        word=${current##*[:=]}
        kept=${current%"$word"}
        [[ $kept == *: && $COMP_WORDBREAKS != *:* ]] && kept=
        [[ $kept == *= && $COMP_WORDBREAKS != *=* ]] && kept=
    fi
    for word in ${found[@]+"${found[@]}"}; do
        word=$prefix$word
        [[ $word == "$current"* ]] && COMPREPLY+=("${word#"$kept"}")
    done
    return 0
}

complete -F _b1000 b1000
"""


def _filled(template: str, found: Program, **more: str) -> str:
    text = template
    takers = [command.name or "-" for command in found.commands if command.jobs]
    values = {
        "FILE": shlex.quote(found.file),
        "SED": _JOB,
        "COMMANDS": f'" {" ".join(command.name for command in found.named)} "',
        "TAKERS": f'" {" ".join(takers)} "',
        **more,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _patterns(command: Command) -> tuple[str, ...]:
    """How the shell's ``$command`` is written for it: before its first word, and after a job."""
    return (command.name,) if command.name else ("", "-")


def _quoted_patterns(command: Command) -> tuple[str, ...]:
    return tuple(pattern or '""' for pattern in _patterns(command))


def bash(found: Program) -> str:
    """The completion of bash."""
    values, options = [], []
    for command in found.commands:
        names = " ".join(name for flag in command.flags for name in flag.names)
        patterns = " | ".join(_quoted_patterns(command))
        options.append(f"        {patterns}) echo '{names}' ;;")
        for flag in command.flags:
            if flag.value:
                cases = " | ".join(
                    f"{pattern}:{name}" for pattern in _patterns(command) for name in flag.names
                )
                value = f"words {' '.join(flag.choices)}" if flag.choices else flag.value
                values.append(f"        {cases}) echo '{value}' ;;")
    more = {"VALUES": "\n".join(values), "OPTIONS": "\n".join(options)}
    head = f"# Completion of b1000 for bash.\n{_MADE}\n"
    return head + _filled(_BASH, found, **more)


# --- zsh

_ZSH = r"""
# Jobs of the configuration $1; nothing where it cannot be read.
_b1000_jobs() {
    [[ -f $1 && -r $1 ]] || return 1
    local -a jobs
    jobs=(${(f)"$(command sed -n '@SED@' <$1 2>/dev/null)"})
    # The first word is a command where it can be one.
    [[ -n $2 ]] || jobs=(${jobs/#%(#m)(@ALTERNATIVES@)/job:$MATCH})
    (( $#jobs )) && _wanted jobs expl job compadd -a jobs
}

_b1000() {
    setopt localoptions extendedglob noshwordsplit
    local file=@FILE@ command= ended= expected= word expl
    local -a options commands
    integer index
    commands=(
@COMMAND_LIST@
    )
    for ((index = 2; index < CURRENT; index++)); do
        word=${(Q)words[index]}
        if [[ -n $expected ]]; then
            [[ $expected == cfg ]] && file=$word
            expected=
        elif [[ -n $ended || $word != -?* ]]; then
            [[ -n $command ]] && continue
            command=-
            [[ -z $ended && @COMMANDS@ == *" $word "* ]] && command=$word
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --cfg=* ]]; then
            file=${word#--cfg=}
        elif [[ $word == --cfg || $word == -[^f-]#f ]]; then
            expected=cfg
        elif [[ $word == -[^f-]#f?* ]]; then
            file=${word#-[^f-]#f}
        else
            case $command:$word in
@VALUES@
            esac
        fi
    done
    [[ $file == '~/'* ]] && file=$HOME/${file#'~/'}

    case $command in
@OPTIONS@
    esac
    _arguments -s -S : $options '*: :->rest' && return 0
    case $state in
        jobs) _b1000_jobs $file - ;;
        rest)
            if [[ -z $command ]]; then
                [[ -n $ended ]] || _describe -t commands command commands
                _b1000_jobs $file "$ended"
            elif [[ @TAKERS@ == *" $command "* ]]; then
                _b1000_jobs $file $command
            fi
            ;;
    esac
}

_b1000 "$@"
"""


def zsh(found: Program) -> str:
    """The completion of zsh."""
    values, options = [], []
    for command in found.commands:
        patterns = "|".join(_quoted_patterns(command))
        options.append(f"        {patterns}) options=(")
        for flag in command.flags:
            options += [f"            {spec}" for spec in _zsh_specs(flag)]
            if flag.value:
                cases = "|".join(
                    f"{pattern}:{name}" for pattern in _patterns(command) for name in flag.names
                )
                values.append(f"                {cases}) expected={flag.value} ;;")
        options.append("        ) ;;")
    listed = [
        "        " + shlex.quote(f"{command.name}:{command.words}") for command in found.named
    ]
    more = {
        "VALUES": "\n".join(values),
        "OPTIONS": "\n".join(options),
        "COMMAND_LIST": "\n".join(listed),
        "ALTERNATIVES": "|".join(command.name for command in found.named),
    }
    head = f"#compdef b1000\n# Completion of b1000 for zsh.\n{_MADE}\n"
    return head + _filled(_ZSH, found, **more)


def _zsh_specs(flag: Flag) -> Iterator[str]:
    words = flag.words.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    action = {
        "": "",
        _FILES: ":file:_files",
        _JOBS: ":job:->jobs",
        _ANYTHING: ":value: ",
    }[flag.value]
    if flag.choices:
        action = f":value:({' '.join(flag.choices)})"
    others = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    for name in flag.names:
        joint = ("=" if name.startswith("--") else "+") if flag.value else ""
        yield shlex.quote(f"{others}{name}{joint}[{words}]{action}")


# --- fish

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
        else if test -n "$ended"; or not string match -q -- '-?*' $word
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
        at = f"-n '__b1000_at {' '.join(_quoted_patterns(command))}'"
        for flag in command.flags:
            lines.append(f"complete -c b1000 {at} {_fish_option(flag)}")
            if flag.value:
                cases = " ".join(
                    f"'{pattern}:{name}'" for pattern in _patterns(command) for name in flag.names
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
        "FISH_SED": _JOB.replace("\\", "\\\\"),
    }
    return f"# Completion of b1000 for fish.\n{_MADE}\n" + _filled(_FISH, found, **more)


def _fish_option(flag: Flag) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names]
    if flag.choices:
        words.append(f"-x -a {_fish_quoted(' '.join(flag.choices))}")
    elif flag.value:
        words.append({_FILES: "-r -F", _JOBS: "-x -a '(__b1000_jobs)'"}.get(flag.value, "-x"))
    return " ".join([*words, "-d", _fish_quoted(flag.words)])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
