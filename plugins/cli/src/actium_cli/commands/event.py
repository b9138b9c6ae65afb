"""x"""
import typer
PANEL="x"
app=typer.Typer(help="x")
@app.callback()
def cb()->None: "x"
