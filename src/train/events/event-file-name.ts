/** Names of event files. TensorBoard knows them by `tfevents`, and reads those of a folder in the order of their names. Pure. */

/** `seconds` since 1970, when the file was begun. */
export const eventFileName = (seconds: number): string => `events.out.tfevents.${seconds}.inception`;

/** Whether a file is one of these; those that others wrote into the folder are left alone. */
export const isEventFile = (name: string): boolean => /^events\.out\.tfevents\.\d+\.inception$/.test(name);
