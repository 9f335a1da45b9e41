# Sourced by the scripts beside it, with $root set to the checkout: finds a Python, makes a virtual environment.
# POSIX sh and its builtins only: there need be nothing on the machine but a Python.

# Nothing of the caller's own Python set-up may leak into the environment.
unset PYTHONHOME PYTHONPATH

_probe='import sys
try:
    import ensurepip, venv
    able = int(bool(ensurepip.version()))
except Exception:
    able = 0
print("python3", sys.version_info[1], able)'

# Prints the Python to make an environment with: $AUTORELOAD_PYTHON, else the newest on PATH that is new enough and has
# venv. Each is run: version managers put a `python3.x` on PATH for versions that are not there.
choose_python() {
    _best='' _best_minor=10 _bare='' _bare_minor=10 _old='' _old_minor=-1
    if [ -n "${AUTORELOAD_PYTHON-}" ]; then
        _consider "$(command -v -- "$AUTORELOAD_PYTHON")"
    else
        # The subshell of $(choose_python) keeps these settings from the caller.
        set -f
        IFS=:
        set -- $PATH
        set +f
        unset IFS
        for _directory; do
            _directory=${_directory:-.}
            for _candidate in "$_directory"/python3 "$_directory"/python3.[0-9] "$_directory"/python3.[0-9][0-9]; do
                _consider "$_candidate"
            done
        done
    fi
    if [ -n "$_best" ]; then
        printf '%s\n' "$_best"
        return 0
    fi
    _where=${AUTORELOAD_PYTHON:+AUTORELOAD_PYTHON=$AUTORELOAD_PYTHON}
    _where=${_where:-PATH}
    if [ -n "$_bare" ]; then
        _say "Python 3.$_bare_minor ($_bare) cannot make virtual environments: its module venv or ensurepip is missing;" \
            "install it, on Debian and Ubuntu: apt install python3.$_bare_minor-venv"
    elif [ -n "$_old" ]; then
        _say "Python 3.11 or newer is needed, and the newest by $_where is 3.$_old_minor ($_old);" \
            "install one, on Debian and Ubuntu: apt install python3.11 python3.11-venv"
    else
        _say "Python 3.11 or newer is needed, and there is no working Python 3 by $_where;" \
            "install one, on Debian and Ubuntu: apt install python3 python3-venv"
    fi
    return 1
}

_consider() {
    [ -f "$1" ] && [ -x "$1" ] || return 0
    # The braces silence the shell too, which tells of a program that crashes.
    { _answer=$("$1" -I -c "$_probe" </dev/null); } 2>/dev/null || return 0
    case $_answer in
        'python3 '[0-9]*' '[01]) ;;
        *) return 0 ;;
    esac
    _able=${_answer##* }
    _minor=${_answer#* }
    _minor=${_minor% *}
    # "Newer than", not "at least": of two that are equal the first on PATH is the one the user means.
    if [ "$_minor" -lt 11 ]; then
        [ "$_minor" -le "$_old_minor" ] || { _old=$1 _old_minor=$_minor; }
    elif [ "$_able" = 0 ]; then
        [ "$_minor" -le "$_bare_minor" ] || { _bare=$1 _bare_minor=$_minor; }
    else
        [ "$_minor" -le "$_best_minor" ] || { _best=$1 _best_minor=$_minor; }
    fi
}

_say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# prepare NAME [GROUP...]: $root/NAME becomes an environment with autoreload and the dependency groups of
# pyproject.toml, if it is not yet one; $python is then the Python in it.
prepare() {
    # An environment of its own for each Python that was asked for, so that none is made anew again and again.
    environment=$root/$1${AUTORELOAD_PYTHON:+-${AUTORELOAD_PYTHON##*/}}
    shift
    python=$environment/bin/python
    if ! "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(choose_python) || exit 1
    fi
    "$python" -I "$root/script/_environment.py" "$environment" "$@" || exit
    python=$environment/bin/python
}
