/** Why the broker does not start (or a command on its data fails), with the exit code of DESIGN section 8. */
export class StartError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = "StartError";
    this.exitCode = exitCode;
  }
}
