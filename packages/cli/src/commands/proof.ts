import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface ProofOptions extends TargetOptions {
  readonly out?: string;
}

export interface ProofVerifyOptions {
  readonly logKey: string;
  readonly json?: boolean;
}

export interface ProofSinceOptions extends ProofOptions {
  readonly logKey: string;
  readonly json?: boolean;
}

const LOG_KEY = "--log-key <key>";
const LOG_KEY_TEXT = "the log's verifier key (name+id+key), or a file with it";

/** `mess proof SEQ|checkpoint|key|since|verify` */
export function registerProof(program: Command, io: Io): void {
  const proof = program
    .command("proof")
    .summary("prove what the journal holds")
    .description(
      "Signed checkpoints of the journal, proofs that a record is in it, and that it only grew. `mess proof SEQ` is `mess proof record SEQ`.",
    );
  registerRecord(proof, io);
  registerCheckpoint(proof, io);
  registerSince(proof, io);
  registerVerify(proof, io);
}

function registerRecord(proof: Command, io: Io): void {
  const command = proof
    .command("record", { isDefault: true })
    .summary("prove a record")
    .description(
      "Get a proof that the frame with record SEQ (the offset of a message) is in the journal, with a signed checkpoint: a C2SP tlog-proof, which anybody can verify later without the server.",
    )
    .argument("<seq>", "number of the record", wholeNumber("SEQ", 1, Number.MAX_SAFE_INTEGER))
    .option("--out <file>", "write it to a new file instead of stdout");
  addTargetOptions(command)
    .addHelpText("after", examples(["mess proof 4711 --out 4711.tlog-proof"]))
    .action(async (seq: number, options: ProofOptions) => {
      const { proveRecord } = await import("../actions/proof.ts");
      await proveRecord(io, seq, options);
    });
}

function registerCheckpoint(proof: Command, io: Io): void {
  const checkpoint = proof
    .command("checkpoint")
    .summary("get a signed checkpoint")
    .description("Print what the journal has come to now, as a signed note. Keep it elsewhere: it shows a rollback.")
    .option("--out <file>", "write it to a new file instead of stdout");
  addTargetOptions(checkpoint)
    .addHelpText("after", examples(["mess proof checkpoint --out monday.checkpoint"]))
    .action(async (options: ProofOptions) => {
      const { getCheckpoint } = await import("../actions/proof.ts");
      await getCheckpoint(io, options);
    });
  const key = proof
    .command("key")
    .summary("get the log's verifier key")
    .description("Print the key that checkpoints are verified with. Do it once, on the server itself, and keep it.");
  addTargetOptions(key)
    .addHelpText("after", examples(["mess proof key > log.key"]))
    .action(async (options: TargetOptions) => {
      const { getLogKey } = await import("../actions/proof.ts");
      await getLogKey(io, options);
    });
}

function registerSince(proof: Command, io: Io): void {
  const since = proof
    .command("since")
    .summary("prove that the journal only grew")
    .description(
      "Compare the server with a checkpoint that you kept: its journal must begin with what was signed then. Exit code 65 says that it does not. With --out the new checkpoint is kept for the next time.",
    )
    .argument("<file>", "the checkpoint that you kept")
    .requiredOption(LOG_KEY, LOG_KEY_TEXT)
    .option("--out <file>", "write the new checkpoint to a new file")
    .option("--json", "print the result as JSON");
  addTargetOptions(since)
    .addHelpText("after", examples(["mess proof since monday.checkpoint --log-key log.key --out tuesday.checkpoint"]))
    .action(async (file: string, options: ProofSinceOptions) => {
      const { proveSince } = await import("../actions/proof.ts");
      await proveSince(io, file, options);
    });
}

function registerVerify(proof: Command, io: Io): void {
  proof
    .command("verify")
    .summary("verify a proof, without the server")
    .description(
      "Verify a proof or a checkpoint from a file with nothing but the log's key. Exit code 65: it proves nothing.",
    )
    .argument("<file>", "what `mess proof` wrote, or - for stdin")
    .requiredOption(LOG_KEY, LOG_KEY_TEXT)
    .option("--json", "print the result as JSON")
    .addHelpText("after", examples(["mess proof verify 4711.tlog-proof --log-key log.key"]))
    .action(async (file: string, options: ProofVerifyOptions) => {
      const { verifyProofFile } = await import("../actions/proof.ts");
      await verifyProofFile(io, file, options);
    });
}
