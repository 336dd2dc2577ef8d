/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the setuid program that loads modules and makes device nodes, and for every other small program: does nothing. */
int main(void) {
        return 0;
}
