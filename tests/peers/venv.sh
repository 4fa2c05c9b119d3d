# The virtual environment in $DIR/venv that packages of PyPI go into; sourced by run.sh and train.sh, which set DIR.
# PEERS_PYTHON= another Python that has them already: nothing is made or installed.
mkdir -p "$DIR" || exit 1
PYTHON=${PEERS_PYTHON:-$DIR/venv/bin/python}

if [ -z "$PEERS_PYTHON" ] && { ! [ -x "$PYTHON" ] || ! "$PYTHON" -m pip --version > /dev/null 2>&1; }; then
    rm -rf "$DIR/venv"
    if ! python3 -m venv "$DIR/venv" > "$DIR/pip.log" 2>&1; then
        rm -rf "$DIR/venv"
        echo "error: python3 makes no virtual environment: apt-get install python3-venv" >&2
        exit 1
    fi
fi

install() { # install PACKAGE [pip's options]: unless it is there; wheels only, nothing is built here
    [ -n "$PEERS_PYTHON" ] && return
    "$PYTHON" -m pip show -q "$1" > /dev/null 2>&1 && return
    echo "installing $1" >&2
    "$PYTHON" -m pip install -q --disable-pip-version-check --only-binary :all: "$@" > "$DIR/pip.log" 2>&1 && return
    echo "$1 cannot be had: $(grep -v '^ *$' "$DIR/pip.log" | tail -n 1)" >&2
    return 1
}
