#!/bin/bash
# Installs Debian packages (as root) and keeps them from starting a service or making a database
# cluster: the scripts only need the programs. Leaves nothing behind but the packages.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
guards=()
trap 'rm -f "${guards[@]}"' EXIT

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    guards+=("$policy")
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
case " $* " in *" postgresql "*)
    no_cluster=/etc/postgresql-common/createcluster.d/strongroom.conf
    mkdir -p "$(dirname "$no_cluster")"
    guards+=("$no_cluster")
    echo 'create_main_cluster = false' >"$no_cluster"
    ;;
esac

apt_get() { apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }
apt_get update
apt_get install -y --no-install-recommends "$@"

# A server that was installed only for the tests must not start with the machine either.
for service in nginx pgbouncer; do
    case " $* " in *" $service "*)
        if command -v systemctl >/dev/null; then systemctl disable "$service.service" || true; fi
        ;;
    esac
done
