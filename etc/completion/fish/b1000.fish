# Completion of b1000 for fish.
# Made from b1000/parsers/; a change by hand is lost. Anew: make generated

# The words of the command line that are whole: the configuration, then the command
# ("-" where jobs are to be run, nothing before the first word that is no option).
function __b1000_words
    set -l file /etc/b1000/b1000.cfg
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
            test -z "$ended"; and contains -- $word status check forget list mark monitor prune restore verify; and set command $word
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
                case ':-f' ':--cfg' '-:-f' '-:--cfg'
                    set expected files
                case 'status:-f' 'status:--cfg'
                    set expected files
                case 'status:--last'
                    set expected anything
                case 'status:--run'
                    set expected anything
                case 'check:-f' 'check:--cfg'
                    set expected files
                case 'forget:-f' 'forget:--cfg'
                    set expected files
                case 'list:-f' 'list:--cfg'
                    set expected files
                case 'list:--host'
                    set expected anything
                case 'list:--dest'
                    set expected anything
                case 'list:--at'
                    set expected anything
                case 'list:--files'
                    set expected anything
                case 'mark:-f' 'mark:--cfg'
                    set expected files
                case 'monitor:-f' 'monitor:--cfg'
                    set expected files
                case 'monitor:--report'
                    set expected anything
                case 'monitor:--job'
                    set expected anything
                case 'monitor:--host'
                    set expected anything
                case 'monitor:--since'
                    set expected anything
                case 'monitor:--output'
                    set expected files
                case 'monitor:--html'
                    set expected files
                case 'monitor:--notify'
                    set expected anything
                case 'monitor:--state'
                    set expected files
                case 'monitor:--until'
                    set expected anything
                case 'monitor:--note'
                    set expected anything
                case 'prune:-f' 'prune:--cfg'
                    set expected files
                case 'prune:--gone'
                    set expected jobs
                case 'prune:--for'
                    set expected anything
                case 'restore:-f' 'restore:--cfg'
                    set expected files
                case 'restore:--to'
                    set expected anything
                case 'restore:--at'
                    set expected anything
                case 'restore:--from'
                    set expected anything
                case 'restore:--host'
                    set expected anything
                case 'restore:--chown'
                    set expected anything
                case 'verify:-f' 'verify:--cfg'
                    set expected files
                case 'verify:--dest'
                    set expected anything
                case 'verify:--for'
                    set expected anything
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
    for job in (command sed -n 's/^\\[job:\\([A-Za-z0-9][A-Za-z0-9._-]*\\)\\][[:space:]]*$/\\1/p' <$found[1] 2>/dev/null)
        # The first word is a command where it can be one.
        test -z "$found[2]"; and contains -- $job status check forget list mark monitor prune restore verify; and set job job:$job
        echo $job
    end
end

complete -c b1000 -f
complete -c b1000 -n '__b1000_at "" -' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at "" -' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at "" -' -s v -l version -d 'show program\'s version number and exit'
complete -c b1000 -n '__b1000_at "" -' -s q -l quiet -d 'nothing on standard output, only failures on standard error'
complete -c b1000 -n '__b1000_at "" -' -s c -l copy -d 'resume runs that failed while copying, or were interrupted'
complete -c b1000 -n '__b1000_at "" -' -s n -l dry-run -d 'show what would be run and sent, and change nothing'
complete -c b1000 -n '__b1000_at "" -' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at status' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at status' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at status' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at status' -l all -d 'every row, also of jobs and instances that are no longer configured'
complete -c b1000 -n '__b1000_at status' -l failed -d 'only runs that FAILED'
complete -c b1000 -n '__b1000_at status' -l last -x -d 'the last N runs of each'
complete -c b1000 -n '__b1000_at status' -l run -x -d 'all that happened in one run, by time'
complete -c b1000 -n '__b1000_at status' -l watch -d 'again every second, with progress; arrows and page keys scroll, Ctrl-C or q ends it'
complete -c b1000 -n '__b1000_at status' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at check' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at check' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at check' -l connect -d 'also try destinations, report databases, directories, the journal, scripts and rsync'
complete -c b1000 -n '__b1000_at forget' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at forget' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at forget' -l post -d 'run the post script of each before it is given up'
complete -c b1000 -n '__b1000_at forget' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at list' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at list' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at list' -l host -x -d 'only backups of this host'
complete -c b1000 -n '__b1000_at list' -l dest -x -d 'only at this destination or store'
complete -c b1000 -n '__b1000_at list' -l at -x -d 'only backups that began at or before this time'
complete -c b1000 -n '__b1000_at list' -l files -x -d 'where a path lies in them, with size and time'
complete -c b1000 -n '__b1000_at list' -l all -d 'also groups that are no longer configured'
complete -c b1000 -n '__b1000_at list' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at list' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at mark' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at mark' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at mark' -l adopt -d 'write the marks of backups that have none'
complete -c b1000 -n '__b1000_at mark' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at monitor' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at monitor' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at monitor' -l report -x -d 'the report to ask'
complete -c b1000 -n '__b1000_at monitor' -l job -x -d 'only this job'
complete -c b1000 -n '__b1000_at monitor' -l host -x -d 'only this host or master'
complete -c b1000 -n '__b1000_at monitor' -l learn -d 'write what is usual into plan, where plan has nothing'
complete -c b1000 -n '__b1000_at monitor' -l since -x -d 'what has changed within: 24h, 7d'
complete -c b1000 -n '__b1000_at monitor' -l all -d 'list what is OK, too'
complete -c b1000 -n '__b1000_at monitor' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at monitor' -l nagios -d 'as lines with performance data'
complete -c b1000 -n '__b1000_at monitor' -l prometheus -d 'as metrics'
complete -c b1000 -n '__b1000_at monitor' -l output -r -F -d 'where to write the metrics'
complete -c b1000 -n '__b1000_at monitor' -l html -r -F -d 'write a page that shows everything'
complete -c b1000 -n '__b1000_at monitor' -l notify -x -d 'run it with JSON of what has changed'
complete -c b1000 -n '__b1000_at monitor' -l state -r -F -d 'where --notify keeps what it has reported'
complete -c b1000 -n '__b1000_at monitor' -l until -x -d 'when the answer ends: 7d, or 2026-11-30'
complete -c b1000 -n '__b1000_at monitor' -l note -x -d 'why it is answered so'
complete -c b1000 -n '__b1000_at prune' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at prune' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at prune' -s n -l dry-run -d 'show what would be kept and removed, why, and what it would free'
complete -c b1000 -n '__b1000_at prune' -l more -d 'even more than prune_most at once, and where a pattern of keep fits no group'
complete -c b1000 -n '__b1000_at prune' -l gone -x -a '(__b1000_jobs)' -d 'remove all backups of a host or instance that will never come back'
complete -c b1000 -n '__b1000_at prune' -l for -x -d 'end after that time, such as 2h or 30m'
complete -c b1000 -n '__b1000_at prune' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at prune' -s q -l quiet -d 'nothing on standard output, only what is wrong on standard error'
complete -c b1000 -n '__b1000_at prune' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at restore' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at restore' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at restore' -l to -x -d 'into this directory'
complete -c b1000 -n '__b1000_at restore' -l in-place -d 'each include to the place where it was'
complete -c b1000 -n '__b1000_at restore' -l missing -d 'add only what is not there'
complete -c b1000 -n '__b1000_at restore' -l merge -d 'replace what differs, delete nothing'
complete -c b1000 -n '__b1000_at restore' -l mirror -d 'replace what differs, delete what the backup has not'
complete -c b1000 -n '__b1000_at restore' -l at -x -d 'the last one begun by then'
complete -c b1000 -n '__b1000_at restore' -l from -x -d 'from this destination only; DEST/CLIENT is one client of a store'
complete -c b1000 -n '__b1000_at restore' -l host -x -d 'of this host or master'
complete -c b1000 -n '__b1000_at restore' -l any -d 'also an older, an unmarked or a bad one'
complete -c b1000 -n '__b1000_at restore' -l chown -x -d 'make all files theirs'
complete -c b1000 -n '__b1000_at restore' -l devices -d 'make devices and FIFOs too'
complete -c b1000 -n '__b1000_at restore' -l no-verify -d 'do not compare afterwards'
complete -c b1000 -n '__b1000_at restore' -l yes -d 'delete with --mirror without asking'
complete -c b1000 -n '__b1000_at restore' -s n -l dry-run -d 'show the choice and what would be replaced'
complete -c b1000 -n '__b1000_at restore' -l print -d 'print the plain rsync commands that do it'
complete -c b1000 -n '__b1000_at restore' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at restore' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at verify' -s h -l help -d 'show this help message and exit'
complete -c b1000 -n '__b1000_at verify' -s f -l cfg -r -F -d 'configuration file (default: /etc/b1000/b1000.cfg)'
complete -c b1000 -n '__b1000_at verify' -l count -d 'count only, read nothing'
complete -c b1000 -n '__b1000_at verify' -l all -d 'read, or drill, everything now'
complete -c b1000 -n '__b1000_at verify' -l drill -d 'restore what was drilled longest ago, and let its command judge it'
complete -c b1000 -n '__b1000_at verify' -l dest -x -d 'only this destination; at a daemon rsync sums'
complete -c b1000 -n '__b1000_at verify' -l for -x -d 'end after that time, such as 4h or 30m'
complete -c b1000 -n '__b1000_at verify' -l json -d 'as a JSON object'
complete -c b1000 -n '__b1000_at verify' -s q -l quiet -d 'nothing on standard output, only what is wrong on standard error'
complete -c b1000 -n '__b1000_at verify' -a '(__b1000_jobs)' -d job
complete -c b1000 -n '__b1000_at ""' -a status -d 'Show the last run of each job/instance, and what it waits for'
complete -c b1000 -n '__b1000_at ""' -a check -d 'Report what is wrong with the configuration and with files that it names; run nothing'
complete -c b1000 -n '__b1000_at ""' -a forget -d 'Give up what failed: runs, which are no longer retried, and restores'
complete -c b1000 -n '__b1000_at ""' -a list -d 'Show which backups lie at the storages, and what is known of them'
complete -c b1000 -n '__b1000_at ""' -a mark -d 'Give complete backups their marks'
complete -c b1000 -n '__b1000_at ""' -a monitor -d 'Ask the central database: is there a good, fresh, complete backup of everything?'
complete -c b1000 -n '__b1000_at ""' -a prune -d 'On a storage: remove the backups that no rule of keep holds'
complete -c b1000 -n '__b1000_at ""' -a restore -d 'Bring back the newest good backup of all storages'
complete -c b1000 -n '__b1000_at ""' -a verify -d 'On a storage: count and read what lies there'
