#!/bin/sh
# Installs what the Makefile's targets need and the machine lacks, with the
# system's package manager, after saying what and why:
#
#	scripts/deps.sh postgres [postgis] [redis] [node] [chromium] [wrk] [nginx] [varnish]
#
# Does nothing, quickly, where all is there. Uses sudo only when not root; with
# CI=true it never asks for a password.
set -eu

say() { printf 'deps: %s\n' "$*" >&2; }

fail() {
	say "$*"
	exit 1
}

# Is it there? One function for each thing; what postgres looks for is what
# internal/devdb/install.go finds.

has_postgres() {
	[ -n "${SLIPSTREAM_PG_BINDIR:-}" ] && return 0
	for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/libexec/postgresql*/initdb \
		/opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb \
		/Applications/Postgres.app/Contents/Versions/*/bin/initdb; do
		[ -x "$initdb" ] && return 0
	done
	command -v initdb >/dev/null 2>&1
}

has_postgis() {
	for control in /usr/share/postgresql/*/extension/postgis.control /usr/share/postgresql*/extension/postgis.control \
		/usr/pgsql-*/share/extension/postgis.control /usr/share/pgsql/extension/postgis.control \
		/opt/homebrew/share/postgresql@*/extension/postgis.control /usr/local/share/postgresql@*/extension/postgis.control; do
		[ -e "$control" ] && return 0
	done
	return 1
}

has_redis() { command -v valkey-server >/dev/null 2>&1 || command -v redis-server >/dev/null 2>&1; }

has_node() { command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; }

has_chromium() {
	for browser in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$browser" >/dev/null 2>&1 && return 0
	done
	[ -d /Applications/Chromium.app ] || [ -d "/Applications/Google Chrome.app" ]
}

has_wrk() { command -v wrk >/dev/null 2>&1; }

has_nginx() { command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ]; }

has_varnish() { command -v varnishd >/dev/null 2>&1 || [ -x /usr/sbin/varnishd ]; }

# What it is for, and what the package is called.

purpose() {
	case $1 in
	postgres) echo "a PostgreSQL server, which the tests and slipstream dev run privately, without a service" ;;
	postgis) echo "PostGIS, for the tests of GeoJSON answers" ;;
	redis) echo "a Redis server, which the tests of what instances share run privately (Debian runs it as a service, too: systemctl disable --now redis-server)" ;;
	node) echo "Node.js with npm, for the test of the JavaScript client" ;;
	chromium) echo "a Chromium, in which the tests open the pages of load test reports" ;;
	wrk) echo "wrk, the load generator of make bench" ;;
	nginx) echo "nginx, whose cache make bench-cache compares with (Debian runs it as a service, too: systemctl disable --now nginx)" ;;
	varnish) echo "Varnish, whose cache make bench-cache compares with (Debian runs it as a service, too: systemctl disable --now varnish)" ;;
	esac
}

packages() {
	case $manager/$1 in
	apt-get/postgres) echo postgresql ;;
	apt-get/postgis) echo "postgresql-$(debian_version)-postgis-3" ;;
	dnf/postgres) echo postgresql-server postgresql-contrib ;;
	apk/postgres) echo postgresql postgresql-contrib ;;
	brew/postgres) echo postgresql@17 ;;
	apt-get/redis) echo redis-server ;;
	apt-get/node | dnf/node | apk/node) echo nodejs npm ;;
	*) echo "$1" ;;
	esac
}

# The newest version that is installed, else the one that would be.
debian_version() {
	installed=$(ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -n 1)
	if [ -n "$installed" ]; then
		echo "$installed"
	else
		apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1
	fi
}

find_manager() {
	for manager in apt-get dnf apk brew; do
		command -v "$manager" >/dev/null 2>&1 && return 0
	done
	manager=
}

# Runs a command as root. Homebrew refuses to be root.
as_root() {
	if [ "$(id -u)" = 0 ] || [ "$manager" = brew ]; then
		"$@"
	elif ! command -v sudo >/dev/null 2>&1; then
		say "not root, and there is no sudo"
		return 1
	elif [ "${CI:-}" = true ]; then
		sudo -n "$@"
	else
		sudo "$@"
	fi
}

# Debian's package would make a cluster and run it from now on, on port 5432.
no_main_cluster() {
	conf=/etc/postgresql-common/createcluster.conf
	[ -e "$conf" ] && return 0
	say "writing $conf (create_main_cluster = false), so that no PostgreSQL service is set up"
	as_root sh -c "mkdir -p ${conf%/*} && echo 'create_main_cluster = false' >$conf"
}

install() {
	case $manager in
	apt-get)
		as_root apt-get update -q
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
			-o Dpkg::Options::=--force-confold "$@"
		;;
	dnf) as_root dnf install -q -y "$@" ;;
	apk) as_root apk add -q "$@" ;;
	brew) brew install --quiet "$@" ;;
	esac
}

need() {
	# PostGIS has a package for each version of the server.
	[ "$1" != postgis ] || need postgres
	"has_$1" && return 0
	say "missing: $(purpose "$1")"
	[ -n "$manager" ] || fail "no apt-get, dnf, apk or brew here: install $1 by hand, then run this again"
	if [ "$manager" = apt-get ] && [ "$1" = postgres ]; then
		no_main_cluster || fail "cannot write the configuration: install postgresql by hand, then run this again"
	fi
	# Word splitting is wanted: one thing may be several packages.
	# shellcheck disable=SC2046
	set -- "$1" $(packages "$1")
	thing=$1
	shift
	say "installing with $manager: $*"
	install "$@" || fail "that did not work: install $* by hand, then run this again"
	"has_$thing" || fail "$* is installed, but $thing is still not found: install it by hand"
}

[ $# -gt 0 ] || {
	echo "usage: $0 postgres|postgis|redis|node|chromium|wrk|nginx|varnish ..." >&2
	exit 2
}
find_manager
for thing in "$@"; do
	case $thing in
	postgres | postgis | redis | node | chromium | wrk | nginx | varnish) need "$thing" ;;
	*)
		say "unknown: $thing (known: postgres, postgis, redis, node, chromium, wrk, nginx, varnish)"
		exit 2
		;;
	esac
done
