//! Which files a client may read by SFTP or scp without a decision: those of which the looks rule says
//! that they hold no secret, and which are no copy of one that does. In doubt a file is asked about.

use super::model::Class;
use super::places;
use crate::tables::RiskTables;

/// How copies of a file are called: what stands behind the file's own name.
const COPIES: &str = "\
    ~|.0|.1|.2|.3|.4|.5|.6|.7|.8|.9|.7z|.backup|.bak|.bck|.bkp|.br|.bz2|.cfgsave|.copy|.disabled|\
    .dist-old|.dpkg-bak|.dpkg-dist|.dpkg-new|.dpkg-old|.dpkg-tmp|.gz|.lz|.lz4|.lzma|.lzo|.new|\
    .off|.old|.orig|.original|.part|.prev|.previous|.rar|.rej|.rpmnew|.rpmorig|.rpmsave|.save|\
    .saved|.sav|.swo|.swp|.tar|.tbz2|.tgz|.tmp|.txt|.txz|.tzst|.ucf-dist|.ucf-old|.xz|.z|.zip|\
    .zst|.cfg|.conf|.csv|.ini|.json|.toml|.xlsx|.xml|.yaml|.yml|#|-old|-bak|-backup|-orig|-copy|_old|_bak|_backup|_orig|_copy";

/// Endings of the names of keys, of stores of passwords, and of whole databases and memories.
const ENDINGS: &str = "\
    _dsa|_ecdsa|_ed25519|_key|_rsa|-key|.accdb|.aof|.asc|.bks|.bson|.core|.db|.db3|.der|.dmp|.dsa|\
    .frm|.hprof|.ibd|.kdb|.keychain|.keychain-db|.keyring|.kubeconfig|.ldf|.ldif|.mdb|.mdf|.myd|\
    .ora|.p7b|.p8|.pgdump|.pgsql|.pk8|.pkcs12|.psafe3|.rdb|.rdp|.rsa|.secrets|.snk|.sqlite|\
    .sqlite3|.sqlitedb|.tdb|.wallet|_history";

/// Names of files that hold passwords, keys or what was typed.
const NAMES: &str = "\
    .authinfo|.bash_history|.boto|.dockercfg|.fetchmailrc|.lesshst|.mbsyncrc|.msmtprc|.muttrc|\
    .offlineimaprc|.pgpass|.psqlrc|.rediscli_auth|.s3cfg|.smbcredentials|.viminfo|_netrc|\
    anaconda-ks.cfg|application.properties|application.yaml|application.yml|appsettings.json|\
    auth.json|chap-secrets|cloud.cfg|config.inc.php|configuration.php|cookies|core|database.yml|\
    dhcpd6.key|filezilla.xml|gitlab.rb|grafana.ini|grub.cfg|ipsec.secrets|jaas.conf|krb5.keytab|\
    kubeconfig|ldap.conf|ldap.secret|local state|local.settings.json|localsettings.php|login data|\
    master.passwd|nm-applet|ntds.dit|opasswd|pap-secrets|parameters.yml|pillar.sls|preseed.cfg|\
    proftpd.conf|rclone.conf|recentservers.xml|redis.conf|rndc.key|sam|sasldb2|settings.php|\
    sip.conf|sitemanager.xml|smbpasswd|snmpd.conf|sssd.conf|system.sav|tomcat-users.xml|tsig.key|\
    unattend.xml|user-data|users.xml|wallet.dat|web.config|wp-config.php|wpa_supplicant.conf";

/// Directories in which everything is asked about, beside those that hold secrets for every command.
const DIRECTORIES: &str = "\
    /boot|/etc/cups/ssl|/etc/ipsec.d/private|/etc/pki/tls/private|/etc/ppp|/etc/swanctl|\
    /private/etc/ssl/private|/run/credentials|/run/user|/var/backups|/var/cache/debconf|\
    /var/cache/krb5rcache|/var/crash|/var/lib/cloud|/var/lib/etcd|/var/lib/iwd|/var/lib/ldap|\
    /var/lib/mongodb|/var/lib/nova|/var/lib/rancher|/var/lib/samba/private|/var/lib/sss|\
    /var/lib/systemd/coredump|/var/mail|/var/spool/at|/var/spool/mail|/var/spool/postfix";

/// Directories of a home in which everything is asked about. Accounts of services have their homes
/// anywhere.
const OF_HOMES: &str = "\
    .aws|.azure|.cargo|.config|.docker|.electrum|.gnupg|.kube|.local|.m2|.minikube|.mozilla|.oci|\
    .password-store|.purple|.putty|.ssh|.subversion|.thunderbird|.vagrant.d";

/// Words of names of archives that hold a whole system, database or home.
const WHOLE: &str = "\
    backup|bkp|dump|export|snapshot";

/// Endings of archives, images of disks, and tables.
const ARCHIVES: &str = "\
    .7z|.bak|.bin|.bz2|.cpio|.csv|.dat|.gz|.img|.iso|.jsonl|.lz4|.qcow2|.rar|.raw|.tar|.tbz2|.tgz|\
    .txz|.tzst|.vdi|.vhd|.vhdx|.vmdk|.xz|.zip|.zst";

/// The entries of a list.
fn each(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split('|')
}

/// The most copies of copies that are looked through.
const NESTED: usize = 6;

impl RiskTables {
    /// Whether a file may be read without a decision. The path must be the real one, in which the
    /// system of the file has followed every link: what a link leads to decides, not its name.
    #[must_use]
    pub fn may_be_read(&self, real: &[u8]) -> bool {
        let Ok(path) = std::str::from_utf8(real) else { return false };
        let plain = path.starts_with('/')
            && !path.chars().any(char::is_control)
            && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
        // Some file systems do not tell upper from lower case.
        plain && self.is_free(path) && self.is_free(&path.to_lowercase())
    }

    fn is_free(&self, path: &str) -> bool {
        let harmless = |path: &str| {
            matches!(places::class(&self.path_lists, path), Class::Plain | Class::System)
        };
        let Some((directory, name)) = path.rsplit_once('/') else { return false };
        if each(DIRECTORIES).any(|above| places::is_beneath(path, above))
            || directory.split('/').any(|part| each(OF_HOMES).any(|of_home| of_home == part))
            || is_whole(directory, name)
        {
            return false;
        }
        let mut names = vec![name.to_owned()];
        for _ in 0..NESTED {
            let Some(shorter) = names.last().and_then(|name| original(name)) else { break };
            names.push(shorter);
        }
        // An editor keeps `.env` as `..env.swp` and `prod.env` as `.prod.env.swp`.
        let hidden: Vec<_> = names
            .iter()
            .skip(1)
            .filter_map(|name| name.strip_prefix(['.', '#']))
            .map(str::to_owned)
            .collect();
        names.into_iter().chain(hidden).all(|name| {
            harmless(&format!("{directory}/{name}"))
                && !each(NAMES).any(|known| known == name)
                && !each(ENDINGS).any(|end| name.ends_with(end))
                && !each(WHOLE).any(|word| name.ends_with(word))
                && !name.starts_with("id_")
                && !name.starts_with("krb5cc_")
        })
    }
}

/// What a file is a copy of, by its name: `shadow` of `shadow.bak`, `dump.sql` of `dump.sql.gz`, `prod.env`
/// of `prod.env.2024-05-01`.
fn original(name: &str) -> Option<String> {
    for end in each(COPIES) {
        if let Some(rest) = name.strip_suffix(end).filter(|rest| !rest.is_empty()) {
            return Some(rest.to_owned());
        }
    }
    // A date, a number.
    let rest =
        name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ':' | 't'));
    let rest = rest.trim_end_matches(['.', '-', '_']);
    (rest.len() < name.len() && !rest.is_empty()).then(|| rest.to_owned())
}

/// Whether a file is an archive or a table of a whole system, database or home.
fn is_whole(directory: &str, name: &str) -> bool {
    let (above, name) = (directory.to_lowercase(), name.to_lowercase());
    each(ARCHIVES).any(|end| name.ends_with(end))
        && each(WHOLE).any(|word| name.contains(word) || above.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(path: &str) -> bool {
        RiskTables::builtin().may_be_read(path.as_bytes())
    }

    /// None of these may be read without a decision.
    #[test]
    fn what_holds_secrets_is_asked_about() {
        let list = "
            /srv/app/prod.env /srv/app/.env /srv/app/.env.production /srv/app/staging.env.bak
            /srv/app/.prod.env.swp /srv/app/prod.env.2026-05-01 /etc/shadow /etc/shadow- /etc/gshadow
            /srv/shadow.bak /var/backups/shadow.bak /var/backups/passwd.bak /etc/wireguard/wg0.conf
            /srv/wg0.conf /srv/wg0.conf.old /srv/dump.sql /srv/dump.sql.gz /srv/db/nightly.sql.zst
            /backup/backup-2026.tar.gz /srv/backups/home.tgz /srv/pg_dump.2026-01-01 /srv/dump
            /var/lib/postgresql/16/main/base/1 /srv/app/db.sqlite3 /srv/app/app.db /srv/redis/dump.rdb
            /srv/export-users.csv /srv/tls/site.pem /srv/tls/SITE.KEY /srv/tls/cert.p12 /srv/tls/k.pfx
            /root/.ssh/id_rsa /root/.ssh/config /srv/git/.ssh/config /var/lib/app/.kube/cache/x /home/a/id_ed25519 /home/a/id_work.old /srv/deploy_rsa
            /srv/github_ed25519 /etc/ssh/ssh_host_ed25519_key /home/a/.pgpass /home/a/.pgpass.bak
            /home/a/.my.cnf /home/a/.netrc /home/a/.aws/credentials /srv/credentials /srv/credentials.csv
            /srv/credentials.json.old /home/a/safe.kdbx /home/a/safe.kdbx.bak /home/a/.bash_history
            /home/a/.psql_history /home/a/.config/gh/hosts.yml /home/a/.docker/config.json
            /home/a/.kube/config /srv/kubeconfig /srv/prod.kubeconfig /etc/kubernetes/admin.conf
            /srv/app/config/database.yml /srv/app/config/master.key /srv/app/wp-config.php
            /srv/app/wp-config.php.bak /srv/app/wp-config.php~ /srv/terraform.tfstate
            /srv/terraform.tfstate.backup /srv/prod.tfvars /srv/vault.yml /srv/secrets.yaml
            /srv/app/secret_token.txt /srv/api_keys.txt /srv/passwords.xlsx /etc/sssd/sssd.conf
            /etc/NetworkManager/system-connections/home.nmconnection /etc/wpa_supplicant/wpa_supplicant.conf
            /etc/ppp/chap-secrets /etc/ipsec.secrets /etc/krb5.keytab /tmp/krb5cc_0 /var/mail/root
            /proc/1/environ /proc/self/mem /proc/1/maps /dev/sda /dev/mem /core /srv/core.4711
            /srv/heap.hprof /etc/sudoers /etc/sudoers.d/ops /var/lib/vault/core/x /home/a/wallet.dat
            /home/a/.mozilla/firefox/x/logins.json /home/a/.mozilla/firefox/x/key4.db
            /home/a/.gnupg/secring.gpg /srv/mail.ovpn /srv/putty.ppk /run/secrets/db /srv/htpasswd
            /srv/.htpasswd /srv/gcp-key.json /srv/deploy_key.csv /srv/apps/tomcat-users.xml /var/lib/samba/private/secrets.tdb";
        let flowing: Vec<_> = list.split_whitespace().filter(|path| free(path)).collect();
        assert_eq!(flowing, [""; 0]);
        for odd in
            ["", "/", "x", "srv/app/x", "/srv/../etc/hosts", "/srv//x", "/srv/./x", "/srv/a\nb"]
        {
            assert!(!free(odd), "{odd:?}");
        }
        assert!(!RiskTables::builtin().may_be_read(b"/srv/\xff"));
    }

    /// What agents read every day.
    #[test]
    fn what_holds_none_is_free() {
        let list = "
            /srv/app/main.py /srv/app/README.md /srv/app/config.yaml /srv/app/src/lib.rs
            /srv/app/docker-compose.yml /srv/app/package.json /srv/app/Makefile /etc/hosts /etc/os-release
            /etc/nginx/nginx.conf /etc/nginx/sites-enabled/default /etc/fstab /etc/passwd
            /etc/systemd/system/app.service /var/log/nginx/access.log /var/log/nginx/access.log.1
            /var/log/syslog /var/log/app/app.log.2.gz /srv/data/report.csv /srv/data/notes.txt
            /srv/www/index.html /home/a/notes.md /home/a/project/src/main.go /tmp/out.txt /tmp/x.log
            /usr/share/doc/bash/README /proc/cpuinfo /proc/meminfo /srv/app/tokenizer.json
            /srv/app/release.tar.gz /srv/app/test_password.py";
        let asked: Vec<_> = list.split_whitespace().filter(|path| !free(path)).collect();
        assert_eq!(asked, [""; 0]);
    }
}
