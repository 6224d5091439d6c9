// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin for QEMU (API 1): counts the instructions the guest executes, by translation block,
 * between two instructions that do nothing: "nopl 0x5eed0001(%rax)" starts, 0x5eed0000 stops.
 * At each stop it writes lines "phase address instructions-in-block times-run".
 * The declarations are those of QEMU's qemu-plugin.h, which Debian does not ship.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define CHUNK 4096
#define MARK_SIZE 7
#define ADD_U64 0

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

EXPORTED int qemu_plugin_version = 1;

struct block {
	uint64_t runs, runs_before, address;
	uint32_t instructions;
};

/* Chunks, because QEMU keeps pointers to the counters. */
static struct block *chunks[8192];
static unsigned blocks, phase;
static FILE *out;

static struct block *block_at(unsigned i)
{
	return &chunks[i / CHUNK][i % CHUNK];
}

static void start(unsigned cpu, void *unused)
{
	phase++;
	for (unsigned i = 0; i < blocks; i++)
		block_at(i)->runs_before = block_at(i)->runs;
}

static void stop(unsigned cpu, void *unused)
{
	for (unsigned i = 0; i < blocks; i++) {
		struct block *b = block_at(i);

		if (b->runs != b->runs_before)
			fprintf(out, "%u %" PRIx64 " %u %" PRIu64 "\n", phase, b->address, b->instructions, b->runs - b->runs_before);
	}
	fflush(out);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	static const uint8_t mark[] = { 0x0f, 0x1f, 0x80 }, tail[] = { 0x00, 0xed, 0x5e };
	size_t count = qemu_plugin_tb_n_insns(tb);
	struct block *b;

	if (blocks % CHUNK == 0 && !chunks[blocks / CHUNK])
		chunks[blocks / CHUNK] = calloc(CHUNK, sizeof(struct block));
	b = block_at(blocks++);
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = count;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &b->runs, 1);
	if (b->address >> 63)
		return;
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(instruction);

		if (qemu_plugin_insn_size(instruction) == MARK_SIZE && !memcmp(code, mark, 3) && !memcmp(code + 4, tail, 3))
			qemu_plugin_register_vcpu_insn_exec_cb(instruction, code[3] ? start : stop, 0, NULL);
	}
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
	const char *path = "profile.out";

	for (int i = 0; i < count; i++)
		if (!strncmp(words[i], "out=", 4))
			path = words[i] + 4;
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
