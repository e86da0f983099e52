/** Why a schema cannot be used: where (a JSON pointer) and what. Caught where compiling began. */
export class SchemaProblem extends Error {
  constructor(pointer: string, message: string) {
    super(`#${pointer}: ${message}`);
  }
}
