/* SPDX-License-Identifier: Apache-2.0 */
/* The whole content of every look-alike library: one symbol that says what it stands for. */
const char gn8v_lookalike[] = GN8V_NAME;
