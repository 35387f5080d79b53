// The Lua interpreter, with the libraries that a script needs that calculates: `lua SIZE SCRIPT`.
#include <stdio.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

int main(int argc, char **argv) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},         {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_STRLIBNAME, luaopen_string},  {LUA_MATHLIBNAME, luaopen_math},
                                       {LUA_UTF8LIBNAME, luaopen_utf8},   {NULL, NULL}};
  if (argc != 3) {
    fprintf(stderr, "usage: %s SIZE SCRIPT\n", argv[0]);
    return 2;
  }
  lua_State *state = luaL_newstate();
  if (!state) return 1;
  for (const luaL_Reg *library = libraries; library->func; library++) {
    luaL_requiref(state, library->name, library->func, 1);
    lua_pop(state, 1);
  }
  if (luaL_loadfile(state, argv[2]) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(state, -1));
    return 1;
  }
  lua_pushstring(state, argv[1]);
  lua_call(state, 1, 0);
  lua_close(state);
  return 0;
}
