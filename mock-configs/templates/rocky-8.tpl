# SPDX-License-Identifier: Apache-2.0
# A plain Enterprise Linux 8. What is built here has the lowest C library that an instance can have (2.28), and runs on all of them.

config_opts['target_arch'] = 'x86_64'
config_opts['legal_host_arches'] = ('x86_64',)
config_opts['chroot_setup_cmd'] = 'install bash bzip2 coreutils cpio diffutils findutils gawk gcc gcc-c++ grep gzip info make patch redhat-rpm-config rpm-build sed shadow-utils rocky-release tar unzip util-linux which xz epel-rpm-macros'
config_opts['dist'] = 'el8'
config_opts['macros']['%dist'] = '.el8'
config_opts['releasever'] = '8'
config_opts['package_manager'] = 'dnf'
config_opts['description'] = 'Rocky Linux 8 with CRB (PowerTools) and EPEL'
config_opts['extra_chroot_dirs'] = ['/run/lock']
# As for alinux3: rpm 4.14 installs what rpm 4.14 reads.
config_opts['use_bootstrap'] = True
config_opts['use_bootstrap_image'] = False

config_opts['dnf.conf'] = """
[main]
keepcache=1
debuglevel=2
reposdir=/dev/null
logfile=/var/log/yum.log
retries=20
obsoletes=1
gpgcheck=1
assumeyes=1
syslog_ident=mock
syslog_device=
metadata_expire=0
mdpolicy=group:primary
best=1
install_weak_deps=0
protected_packages=
module_platform_id=platform:el8
user_agent={{ user_agent }}

[baseos]
name=Rocky Linux $releasever - BaseOS
baseurl={{ gn8v_mirror }}/$releasever/BaseOS/$basearch/os/
gpgkey={{ gn8v_mirror }}/RPM-GPG-KEY-rockyofficial
gpgcheck=1
enabled=1

[appstream]
name=Rocky Linux $releasever - AppStream
baseurl={{ gn8v_mirror }}/$releasever/AppStream/$basearch/os/
gpgkey={{ gn8v_mirror }}/RPM-GPG-KEY-rockyofficial
gpgcheck=1
enabled=1

# CRB's name in Enterprise Linux 8: libsolv-devel, libarchive-devel and others are only here.
[powertools]
name=Rocky Linux $releasever - PowerTools
baseurl={{ gn8v_mirror }}/$releasever/PowerTools/$basearch/os/
gpgkey={{ gn8v_mirror }}/RPM-GPG-KEY-rockyofficial
gpgcheck=1
enabled=1

[epel]
name=Extra Packages for Enterprise Linux $releasever
metalink=https://mirrors.fedoraproject.org/metalink?repo=epel-$releasever&arch=$basearch
gpgkey=https://dl.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-$releasever
gpgcheck=1
enabled=1
"""
