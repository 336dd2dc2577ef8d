# SPDX-License-Identifier: Apache-2.0
# Alibaba Cloud Linux 3 for mock, which has no configuration of its own for it. The file that includes this sets 'gn8v_mirror'.

config_opts['target_arch'] = 'x86_64'
config_opts['legal_host_arches'] = ('x86_64',)
config_opts['chroot_setup_cmd'] = 'install bash bzip2 coreutils cpio diffutils findutils gawk gcc gcc-c++ grep gzip info make patch redhat-rpm-config rpm-build sed shadow-utils alinux-release tar unzip util-linux which xz'
config_opts['dist'] = 'al8'
config_opts['macros']['%dist'] = '.al8'
config_opts['releasever'] = '3'
config_opts['package_manager'] = 'dnf'
config_opts['description'] = 'Alibaba Cloud Linux 3'
config_opts['extra_chroot_dirs'] = ['/run/lock']
# A bootstrap chroot: the packages are installed by alinux3's own rpm 4.14, so that a newer rpm of the host cannot write a database that the
# rpm inside does not read. It is made from the repositories: the published container images name mirrors that only work inside the cloud.
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
module_platform_id=platform:al8
user_agent={{ user_agent }}

[alinux3-os]
name=Alibaba Cloud Linux 3 - Base
baseurl={{ gn8v_mirror }}/alinux/$releasever/os/$basearch/
gpgkey={{ gn8v_mirror }}/alinux/$releasever/RPM-GPG-KEY-ALINUX-3
gpgcheck=1
enabled=1

[alinux3-updates]
name=Alibaba Cloud Linux 3 - Updates
baseurl={{ gn8v_mirror }}/alinux/$releasever/updates/$basearch/
gpgkey={{ gn8v_mirror }}/alinux/$releasever/RPM-GPG-KEY-ALINUX-3
gpgcheck=1
enabled=1

[alinux3-module]
name=Alibaba Cloud Linux 3 - Modules
baseurl={{ gn8v_mirror }}/alinux/$releasever/module/$basearch/
gpgkey={{ gn8v_mirror }}/alinux/$releasever/RPM-GPG-KEY-ALINUX-3
gpgcheck=1
enabled=1

[alinux3-plus]
name=Alibaba Cloud Linux 3 - Plus
baseurl={{ gn8v_mirror }}/alinux/$releasever/plus/$basearch/
gpgkey={{ gn8v_mirror }}/alinux/$releasever/RPM-GPG-KEY-ALINUX-3
gpgcheck=1
enabled=1

[alinux3-powertools]
name=Alibaba Cloud Linux 3 - PowerTools
baseurl={{ gn8v_mirror }}/alinux/$releasever/powertools/$basearch/
gpgkey={{ gn8v_mirror }}/alinux/$releasever/RPM-GPG-KEY-ALINUX-3
gpgcheck=1
enabled=1

# The release is written out: $releasever is 3 here, EPEL's is 8.
[epel]
name=Extra Packages for Enterprise Linux 8
baseurl={{ gn8v_mirror }}/epel/8/Everything/$basearch/
gpgkey={{ gn8v_mirror }}/epel/RPM-GPG-KEY-EPEL-8
gpgcheck=1
enabled=1
"""
