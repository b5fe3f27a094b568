import { remembering } from '../src/memo';

function asking(max: number) {
  const answer = jest.fn((question: string) => ({ length: question.length }));
  return { answer, ask: remembering(max, answer) };
}

test('what was asked before is not answered anew', () => {
  const { answer, ask } = asking(10);
  expect(ask('three')).toEqual({ length: 5 });
  expect(ask('three')).toBe(ask('three'));
  expect(answer).toHaveBeenCalledTimes(1);
});

test('questions are told apart', () => {
  const { ask } = asking(10);
  expect(ask('three').length).toBe(5);
  expect(ask('seven!').length).toBe(6);
});

test('the oldest answer makes room', () => {
  const { answer, ask } = asking(2);
  for (const question of ['a', 'b', 'c', 'a']) ask(question);
  expect(answer.mock.calls.flat()).toEqual(['a', 'b', 'c', 'a']);
});

test('a long question is answered, and takes no room', () => {
  const { answer, ask } = asking(1);
  ask('a');
  const long = 'b'.repeat(201);
  expect(ask(long)).toEqual({ length: 201 });
  expect(ask(long)).toEqual({ length: 201 });
  ask('a');
  expect(answer.mock.calls.flat()).toEqual(['a', long, long]);
});

test('an answer that throws is asked for again', () => {
  let calls = 0;
  const ask = remembering(10, (question: string) => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
    return question;
  });
  expect(() => ask('a')).toThrow('not yet');
  expect(ask('a')).toBe('a');
});
