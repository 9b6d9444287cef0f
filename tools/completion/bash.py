"""The completion of bash."""

from tools.completion.program import MADE, Program, filled, patterns_of, quoted_patterns_of

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


def bash(found: Program) -> str:
    """The completion of bash."""
    values, options = [], []
    for command in found.commands:
        names = " ".join(name for flag in command.flags for name in flag.names)
        patterns = " | ".join(quoted_patterns_of(command))
        options.append(f"        {patterns}) echo '{names}' ;;")
        for flag in command.flags:
            if flag.value:
                cases = " | ".join(
                    f"{pattern}:{name}" for pattern in patterns_of(command) for name in flag.names
                )
                value = f"words {' '.join(flag.choices)}" if flag.choices else flag.value
                values.append(f"        {cases}) echo '{value}' ;;")
    more = {"VALUES": "\n".join(values), "OPTIONS": "\n".join(options)}
    head = f"# Completion of b1000 for bash.\n{MADE}\n"
    return head + filled(_BASH, found, **more)
