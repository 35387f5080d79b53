// wasm32-wasip1 has no setjmp, so that an error in a script ends the program; see LUAI_TRY in ../build.
#ifndef CORPUS_SETJMP_H
#define CORPUS_SETJMP_H
typedef int jmp_buf;
#endif
