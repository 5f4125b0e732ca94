import { bool } from "./flag.ts";

/** Of the commands that change what a container has mounted. */
export const recreate = bool("Give it a new process where the kernel refuses to change the one that runs");
