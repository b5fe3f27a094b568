import { explore, type Fault, type ModelStore } from './tags-model';

// A process of its own: what other suites of Jest's have set up to follow promises makes them slow.
const [store, runs, fault] = process.argv.slice(2) as [ModelStore, string, Fault | undefined];
explore(store, Number(runs), { fault }).then((outcome) => {
  process.stdout.write(JSON.stringify(outcome));
});
