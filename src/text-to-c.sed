# SPDX-License-Identifier: Apache-2.0
# A text file as a C string, line by line.
s/[\\"]/\\&/g
s/.*/"&\\n"/
