/** Why a kustomization is not built, in the words that users of the original know. */
export class BuildFailure extends Error {
  override readonly name = "BuildFailure";
}

/** The same with what was being done before it. */
export function within(what: string, error: unknown): unknown {
  if (!(error instanceof BuildFailure)) return error;
  const wrapped = new BuildFailure(`${what}: ${error.message}`);
  wrapped.cause = error;
  return wrapped;
}

/** Runs, and says of a failure what was being done. */
export function doing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw within(what, error);
  }
}
