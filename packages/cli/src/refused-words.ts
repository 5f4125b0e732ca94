/** What is said of a word of Docker's that is no command here, and what to do instead. */
export interface RefusedWord {
  readonly why: string;
  readonly remedy: string;
}

const SWARM: RefusedWord = {
  why: "swarm mode is not supported",
  remedy: "boxship up serves the Kubernetes API, and Compose runs stacks on one machine",
};

/** Docker's words for what this engine does not have. */
export const REFUSED_WORDS: ReadonlyMap<string, RefusedWord> = new Map([
  ...["config", "node", "secret", "service", "stack", "swarm"].map((word): [string, RefusedWord] => [word, SWARM]),
  [
    "context",
    {
      why: "contexts belong to Docker's client and are not supported",
      remedy: "name the engine with --host or BOXSHIP_HOST, an instance of this machine with --name",
    },
  ],
  [
    "plugin",
    {
      why: "managed plugins are not supported: drivers are built into the engine",
      remedy: "boxship info lists the drivers",
    },
  ],
  [
    "trust",
    {
      why: "Docker Content Trust is not supported",
      remedy: "boxship sign and boxship verify sign images with keys, and policy.json says whose are needed",
    },
  ],
]);
